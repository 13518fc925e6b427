import { join } from 'node:path';
import { callsOf, CHANGING, chosen, ERRNOS, huntBackupsByKills, LONG, meetBackupFault, provePruneOrder, SEED } from './backup-hunt';
import { describeTraced, Drivers, inPairs } from './trace-driver';

const HUNT_MS = LONG ? 1_200_000 : 120_000;
const [SOME_KILLS, SOME_FAULTS] = [12, 12];

/** Three verified snapshots, one of them encrypted, of which one stays; and what a backup left that never came to its end. */
const THREE = [
  ...['publish:iris:one', 'take', 'verify', 'publish:iris:two', 'sealed', 'verify'],
  ...['orphan:lost', 'publish:iris:three', 'take', 'verify'],
];
const PRUNE = {
  before: THREE,
  steps: ['prune', 'prune'],
  // the bytes that were condemned are needed again
  next: ['prune', 'publish:iris:lost', 'take', 'verify', 'prune', 'prune'],
};

let drivers: Drivers;
beforeAll(() => void (drivers = new Drivers(join(__dirname, 'backup-driver.cjs'))));
afterAll(() => drivers.remove());

describeTraced(`a prune whose process is killed (CRASH_SEED=${SEED})`, () => {
  it(
    'takes nothing from what is listed, keeps the newest verified one, and the next backup and the next prune need no hand',
    async () => {
      const { kills, violations } = await huntBackupsByKills(drivers, PRUNE, CHANGING, (all) => chosen(all, SOME_KILLS));
      expect(violations).toEqual([]);
      expect(kills).toBeGreaterThanOrEqual(SOME_KILLS);
    },
    HUNT_MS,
  );

  it(
    'would be caught where objects went before the event that deletes their snapshot',
    async () => {
      const mutant = 'objects-before-tombstone';
      expect((await huntBackupsByKills(drivers, { ...PRUNE, mutant }, ['link', 'fsync'])).violations).not.toEqual([]);
    },
    HUNT_MS,
  );
});

describeTraced('a prune', () => {
  it(
    'has its events on disk before the first object goes, and before it is acknowledged',
    async () => {
      expect(await provePruneOrder(drivers, PRUNE)).toEqual([]);
    },
    HUNT_MS,
  );

  it.each(['objects-before-condemned', 'no-folder-fsync', 'no-file-fsync', 'no-staging'])(
    'would be caught with the mutant %s',
    async (mutant) => {
      expect(await provePruneOrder(drivers, { ...PRUNE, mutant })).not.toEqual([]);
    },
    HUNT_MS,
  );
});

describeTraced(`a prune of which a system call fails (CRASH_SEED=${SEED})`, () => {
  it(
    'says why, takes nothing from what is listed, and is done by the next one',
    async () => {
      const base = drivers.freshRoot();
      await drivers.run(base, PRUNE.before);
      const calls = await callsOf(drivers, base, PRUNE, CHANGING);
      const faults = chosen(calls.flatMap((call) => ERRNOS.map((errno) => ({ ...call, errno }))), SOME_FAULTS); // prettier-ignore
      const work = { ...PRUNE, steps: ['prune', 'prune', 'prune'] };
      const outcomes = await inPairs(faults, (fault) => meetBackupFault(drivers, base, work, fault));
      expect(outcomes.flatMap((outcome) => outcome ?? [])).toEqual([]);
      expect(outcomes.filter((outcome) => outcome !== undefined).length).toBeGreaterThan(faults.length / 2);
    },
    HUNT_MS,
  );
});
