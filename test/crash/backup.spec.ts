import { join } from 'node:path';
import { callsOf, CHANGING, chosen, ERRNOS, huntBackupsByKills, LONG, meetBackupFault, proveBackupOrder, SEED } from './backup-hunt';
import { describeTraced, Drivers, inPairs } from './trace-driver';

const HUNT_MS = LONG ? 1_200_000 : 120_000;
const FAILING = ['write', 'fsync', 'link', 'openat'];
/** What BK-03 of the requirements asks for. */
const MIN_KILLS = 500;
const [SOME_KILLS, SOME_FAULTS] = [16, 24];

const PUBLISHED = ['publish:iris:one', 'publish:iris:twox100000'];
const FIRST = { before: PUBLISHED, steps: ['take'] };
const SECOND = { before: [...PUBLISHED, 'take', 'publish:iris:three', 'publish:mnist:four'], steps: ['sealed'] };
const MORE = [
  { before: PUBLISHED, steps: ['sealed', 'publish:wine:five', 'take', 'verify'] },
  { before: [...PUBLISHED, 'sealed', 'verify'], steps: ['publish:iris:six', 'sealed', 'publish:iris:sevenx200000', 'sealed'] },
  { before: SECOND.before, steps: ['take', 'publish:mnist:one', 'take', 'publish:wine:eight', 'sealed'] },
  { before: [...PUBLISHED, 'take', 'verify'], steps: ['publish:iris:nine', 'sealed', 'publish:mnist:ten', 'sealed', 'publish:wine:eleven', 'sealed'] }, // prettier-ignore
];

let drivers: Drivers;
beforeAll(() => void (drivers = new Drivers(join(__dirname, 'backup-driver.cjs'))));
afterAll(() => drivers.remove());

describeTraced(`a backup whose process is killed (CRASH_SEED=${SEED})`, () => {
  let kills = 0;

  it.each([FIRST, SECOND, ...(LONG ? MORE : [])])(
    'lists nothing by halves, keeps what was there, and the next one needs no hand: %j',
    async (work) => {
      const hunt = await huntBackupsByKills(drivers, work, CHANGING, (all) => chosen(all, SOME_KILLS));
      expect(hunt.violations).toEqual([]);
      expect(hunt.kills).toBeGreaterThanOrEqual(SOME_KILLS - 2); // what another thread does in between may move a call
      kills += hunt.kills;
    },
    HUNT_MS,
  );

  if (LONG) it(`was killed ${MIN_KILLS} times or more`, () => expect(kills).toBeGreaterThanOrEqual(MIN_KILLS));

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

describeTraced(`a backup of which a system call fails (CRASH_SEED=${SEED})`, () => {
  it(
    'says why, leaves nothing behind, harms no other, and succeeds when it is taken again',
    async () => {
      const base = drivers.freshRoot();
      await drivers.run(base, SECOND.before);
      const calls = await callsOf(drivers, base, SECOND, FAILING);
      const faults = chosen(calls.flatMap((call) => ERRNOS.map((errno) => ({ ...call, errno }))), SOME_FAULTS); // prettier-ignore
      const work = { ...SECOND, steps: ['sealed', 'sealed'] };
      const outcomes = await inPairs(faults, (fault) => meetBackupFault(drivers, base, work, fault));
      expect(outcomes.flatMap((outcome) => outcome ?? [])).toEqual([]);
      expect(outcomes.filter((outcome) => outcome !== undefined).length).toBeGreaterThan(faults.length / 2);
    },
    HUNT_MS,
  );
});
