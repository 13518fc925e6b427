const MOST_POINTS = 400;

/** The median of the slopes between all pairs of points (Theil and Sen): a third of the points may be anything. @param points `[x, y]` */
export function theilSen(points: readonly (readonly [number, number])[]): number {
  const step = Math.ceil(points.length / MOST_POINTS);
  const some = points.filter((_, at) => at % step === 0);
  const slopes = some.flatMap(([x, y], at) => some.slice(at + 1).map(([nextX, nextY]) => (nextY - y) / (nextX - x)));
  return slopes.toSorted((a, b) => a - b)[Math.floor(slopes.length / 2)] ?? Number.NaN;
}
