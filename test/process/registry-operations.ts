import { DOINGS, type Operation, type Stage } from './registry-model';

/** Numbers from 0 to 1 that look random and are the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  const { imul } = Math; // a global is slow to reach inside jest
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const WEIGHTED = Object.entries(DOINGS).flatMap(([name, weight]) => Array<Operation['do']>(weight).fill(name as Operation['do']));
const STAGES: readonly Stage[] = ['production', 'production', 'production', 'archived', 'staging'];

/** 30 to 60 operations: few models, few contents, few keys, so that they meet. */
export function operationsFrom(seed: number): readonly Operation[] {
  const random = randomFrom(seed);
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const sometimes = <T extends object>(chance: number, more: () => T): T | object => (random() < chance ? more() : {});
  const operations: Operation[] = [];
  const length = 30 + Math.floor(random() * 31);
  while (operations.length < length) {
    const house = one([0, 1] as const);
    const before = random() < 0.06 ? one(operations) : undefined; // what was asked before is asked again, maybe of the other process
    operations.push(before === undefined ? { ...fresh(), house, look: random() } : { ...before, house, look: random() });
  }
  return operations;

  function fresh(): Omit<Operation, 'house' | 'look'> {
    const name = one(WEIGHTED);
    const version = () => 1 + Math.floor(random() ** 1.5 * 7);
    const members: Record<Operation['do'], () => Partial<Operation>> = {
      upload: () => ({
        content: one(['a1', 'a1', 'a2', 'a3', 'a4', 'b1', 'b2']),
        ...sometimes(0.1, () => ({ version: version() })),
        ...sometimes(0.4, () => ({ stage: one(STAGES) })),
        ...sometimes(0.2, () => ({ description: one(['one', 'two']) })),
      }),
      move: () => ({ version: version(), stage: one(STAGES), ...sometimes(0.4, () => ({ force: true })) }),
      rollback: () => ({}),
      describe: () => sometimes(0.9, () => ({ description: one(['one', 'two', '']) })),
      setAlias: () => ({ alias: one(['champion', 'old']), version: version() }),
      removeAlias: () => ({ alias: one(['champion', 'old']) }),
      deleteVersion: () => ({ version: version() }),
      undeleteVersion: () => ({ version: version() }),
      deleteModel: () => ({}),
      undeleteModel: () => ({}),
      collect: () => ({ hard: random() < 0.5 }),
      restart: () => ({ hard: random() < 0.5 }),
    };
    return {
      do: name,
      model: random() < 0.75 ? 'm' : 'n',
      ...members[name](),
      ...sometimes(0.15, () => ({ key: one(['k', 'l', 'm']) })),
      ...sometimes(0.1, () => ({ seen: one([0, 0, 1, 2]) })),
    };
  }
}

/** The least part of some operations that still differs: each that it can do without is left out. @returns it and how it differs */
export async function shrunk(
  operations: readonly Operation[],
  difference: (operations: readonly Operation[]) => Promise<string | undefined>,
): Promise<{ readonly operations: readonly Operation[]; readonly difference: string } | undefined> {
  let found = await difference(operations);
  if (found === undefined) return undefined;
  let kept = operations;
  for (let size = kept.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < kept.length;) {
      const fewer = kept.toSpliced(at, size);
      const still = await difference(fewer);
      if (still === undefined) at += size;
      else [kept, found] = [fewer, still];
    }
  }
  return { operations: kept, difference: found };
}
