import { CHANGES, ERRNOS, type Fault, FAILING, FaultHunt, UPLOADS } from './errno';
import { describeTraced, Drivers, inPairs } from './trace-driver';

const HUNT_MS = 120_000;
/** How many of each errno and each system call: what writes has more ways to go wrong than what opens. */
const SAMPLE = { write: 2, fsync: 2, link: 2, openat: 1, mkdir: 1 };
const SAMPLE_OF_CHANGES = { write: 1, fsync: 1, link: 2, openat: 1, mkdir: 0 };
const SEED = Number(process.env.CRASH_SEED ?? Date.now() % 2 ** 31);

let drivers: Drivers;
beforeAll(() => void (drivers = new Drivers()));
afterAll(() => drivers.remove());

describeTraced(`a system call that fails (CRASH_SEED=${SEED})`, () => {
  it.each([
    ['uploads, promotions and collections', UPLOADS, SAMPLE],
    ['rollbacks, aliases, deletions and undeletions', CHANGES, SAMPLE_OF_CHANGES],
  ])(
    'is told, harms nothing and is forgotten, at one call or two of each kind for each errno: %s',
    async (_what, work, counts) => {
      const hunt = new FaultHunt(drivers, work);
      const sample = sampleOf(await hunt.faults(), counts);
      expect(sample).toHaveLength(ERRNOS.length * FAILING.reduce((sum, syscall) => sum + counts[syscall], 0));
      expect((await inPairs(sample, (fault) => hunt.meet(fault))).flat()).toEqual([]);
    },
    HUNT_MS,
  );

  it(
    'is told for as long as it lasts, and no flush is believed that failed',
    async () => {
      const hunt = new FaultHunt(drivers, UPLOADS);
      const lasting = [
        ...[1, 4, 12, 20].map((nth) => ({ errno: 'EIO', syscall: 'fsync', nth, lasting: true }) as const),
        ...[4, 9].map((nth) => ({ errno: 'ENOSPC', syscall: 'link', nth, lasting: true }) as const),
      ];
      expect((await inPairs(lasting, (fault) => hunt.meet(fault))).flat()).toEqual([]);
    },
    HUNT_MS,
  );
});

/** Some of every kind, chosen by the seed. */
function sampleOf(faults: readonly Fault[], counts: typeof SAMPLE): readonly Fault[] {
  const random = mulberry32(SEED);
  const kinds = Object.values(Object.groupBy(faults, ({ errno, syscall }) => `${errno} ${syscall}`)) as readonly Fault[][];
  return kinds.flatMap((kind) =>
    Array.from({ length: counts[kind[0]!.syscall] }, () => kind.splice(Math.floor(random() * kind.length), 1)).flat(),
  );
}

/** The well-known small generator of that name: numbers in [0, 1). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
