/**
 * Takes away what waits for nothing, until nothing is left or all that is left waits for itself (Kahn).
 * @param needs what each node waits for, nodes all of them
 * @returns one that is left: it is in a circle, or waits for what is in one
 */
export function leftInCircle(needs: ReadonlyMap<string, readonly string[]>): string | undefined {
  const waiting = new Map([...needs].map(([node, from]) => [node, from.length]));
  const users = new Map<string, string[]>([...needs.keys()].map((node) => [node, []]));
  for (const [node, from] of needs) for (const each of from) users.get(each)?.push(node);
  const ready = [...waiting].filter(([, count]) => count === 0).map(([node]) => node);
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    waiting.delete(node);
    for (const user of users.get(node) ?? []) {
      const left = (waiting.get(user) as number) - 1;
      waiting.set(user, left);
      if (left === 0) ready.push(user);
    }
  }
  return waiting.keys().next().value;
}
