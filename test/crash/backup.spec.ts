import { join } from 'node:path';
import { callsOf, huntBackupsByKills, meetBackupFault, proveBackupOrder } from './backup-hunt';
import { describeTraced, Drivers, inPairs } from './trace-driver';

const HUNT_MS = 120_000;
/** `CRASH_LONG`: every call; else every so manieth of each kind. */
const SHARE = process.env.CRASH_LONG === undefined ? 5 : 1;
const ERRNOS = ['ENOSPC', 'EIO', 'EDQUOT', 'EROFS', 'EACCES'] as const;
const CHANGES = ['mkdir', 'link', 'rename', 'unlink', 'fsync', 'openat', 'write'];
const FAILING = ['write', 'fsync', 'link', 'openat'];

const PUBLISHED = ['publish:iris:one', 'publish:iris:twox100000'];
const FIRST = { before: PUBLISHED, steps: ['take'] };
const SECOND = { before: [...PUBLISHED, 'take', 'publish:iris:three', 'publish:mnist:four'], steps: ['sealed'] };

let drivers: Drivers;
beforeAll(() => void (drivers = new Drivers(join(__dirname, 'backup-driver.cjs'))));
afterAll(() => drivers.remove());

describeTraced('a backup whose process is killed', () => {
  it.each([FIRST, SECOND])(
    'lists nothing by halves, keeps what was there, and the next one needs no hand: %j',
    async (work) => {
      const { kills, violations } = await huntBackupsByKills(drivers, work, CHANGES, SHARE);
      expect(violations).toEqual([]);
      expect(kills).toBeGreaterThanOrEqual(50 / SHARE);
    },
    HUNT_MS,
  );

  it(
    'would be caught where the event came before what it names',
    async () => {
      const { violations } = await huntBackupsByKills(drivers, { ...FIRST, mutant: 'event-before-blob' }, ['link', 'fsync']);
      expect(violations).not.toEqual([]);
    },
    HUNT_MS,
  );
});

describeTraced('a backup', () => {
  it.each([FIRST, SECOND])(
    'has every object and its manifest on disk before their event, and the event before it is acknowledged: %j',
    async (work) => {
      expect(await proveBackupOrder(drivers, work)).toEqual([]);
    },
    HUNT_MS,
  );

  it.each(['no-folder-fsync', 'no-file-fsync', 'event-before-blob', 'no-staging'])(
    'would be caught with the mutant %s',
    async (mutant) => {
      expect(await proveBackupOrder(drivers, { ...FIRST, mutant })).not.toEqual([]);
    },
    HUNT_MS,
  );
});

describeTraced('a backup of which a system call fails', () => {
  it(
    'says why, leaves nothing behind, harms no other, and succeeds when it is taken again',
    async () => {
      const base = drivers.freshRoot();
      await drivers.run(base, SECOND.before);
      const steps = ['sealed', 'sealed'];
      const calls = await callsOf(drivers, base, { steps: ['sealed'] }, FAILING);
      const faults = calls.flatMap((call, at) =>
        ERRNOS.flatMap((errno, kind) => ((at + kind) % (4 * SHARE) === 0 ? [{ ...call, errno }] : [])),
      );
      const outcomes = await inPairs(faults, (fault) => meetBackupFault(drivers, base, steps, fault));
      expect(outcomes.flatMap((outcome) => outcome ?? [])).toEqual([]);
      expect(outcomes.filter((outcome) => outcome !== undefined).length).toBeGreaterThan(50 / SHARE);
    },
    HUNT_MS,
  );
});
