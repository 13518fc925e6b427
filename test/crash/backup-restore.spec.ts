import { join } from 'node:path';
import {
  type BackupWork,
  callsOf,
  CHANGING,
  chosen,
  ERRNOS,
  huntBackupsByKills,
  LONG,
  meetBackupFault,
  proveBackupOrder,
  provePlaceOrder,
  SEED,
} from './backup-hunt';
import { describeTraced, Drivers, inPairs } from './trace-driver';

const HUNT_MS = LONG ? 2_400_000 : 120_000;
const [SOME_KILLS, SOME_FAULTS] = [30, 12];
/** What BK-12 of the requirements asks for. */
const MIN_KILLS = 500;

const YESTERDAY = ['publish:iris:one', 'publish:iris:twox100000', 'promote:iris:1', 'alias:iris:best:2', 'publish:market:three'];
/** Another version promoted, a model deleted and its bytes collected, one that is new. */
const TODAY = ['publish:iris:four', 'promote:iris:3', 'delete:market', 'collect', 'publish:fraud:five'];

const LIVING = {
  before: [...YESTERDAY, 'take', ...TODAY],
  steps: ['restore'],
  next: ['restore', 'start:models', 'take', 'verify'],
  restores: 'models',
};
const EMPTY = {
  before: [...YESTERDAY, 'take'],
  steps: ['place:elsewhere'],
  next: ['place:elsewhere', 'start:elsewhere', 'take'],
  restores: 'elsewhere',
};
const WORKS: readonly (readonly [string, BackupWork])[] = [
  ['into a registry that lives', LIVING],
  ['into an empty place', EMPTY],
];
const MANY = Array.from({ length: 8 }, (_, at) => `m${at}`);
const published = MANY.map((name) => `publish:${name}:${name}`);
const MORE: typeof WORKS = [
  ['out of an encrypted snapshot', { ...LIVING, before: [...YESTERDAY, 'sealed', ...TODAY] }],
  [
    'of much that was collected',
    { ...LIVING, before: [...published, 'take', ...MANY.map((name) => `delete:${name}`), 'collect', 'publish:fraud:five'] },
  ],
  ['of much, out of an encrypted snapshot into an empty place', { ...EMPTY, before: [...YESTERDAY, ...published, 'sealed'] }],
];

let drivers: Drivers;
beforeAll(() => void (drivers = new Drivers(join(__dirname, 'backup-driver.cjs'))));
afterAll(() => drivers.remove());

describeTraced(`a restore whose process is killed (CRASH_SEED=${SEED})`, () => {
  let kills = 0;

  it.each([...WORKS, ...(LONG ? MORE : [])])(
    '%s leaves what was there or what it was to be, and the same restore succeeds with no hand',
    async (_where, work) => {
      const hunt = await huntBackupsByKills(drivers, work, CHANGING, (all) => chosen(all, SOME_KILLS));
      expect(hunt.violations).toEqual([]);
      expect(hunt.kills).toBeGreaterThanOrEqual(SOME_KILLS - 2); // what another thread does in between may move a call
      kills += hunt.kills;
    },
    HUNT_MS,
  );

  it.each(WORKS)(
    '%s would be caught where the event, or the log, came before the bytes',
    async (_where, work) => {
      const { violations } = await huntBackupsByKills(drivers, { ...work, mutant: 'event-before-blob' }, ['link'], (all) =>
        all.toReversed(),
      );
      expect(violations).not.toEqual([]);
    },
    HUNT_MS,
  );

  (LONG ? it : it.skip)(`was killed ${MIN_KILLS} times or more`, () => expect(kills).toBeGreaterThanOrEqual(MIN_KILLS));
});

describeTraced('a restore', () => {
  it(
    'into a registry that lives has every blob on disk before its event, and that before it is acknowledged',
    async () => {
      expect(await proveBackupOrder(drivers, LIVING)).toEqual([]);
    },
    HUNT_MS,
  );

  it(
    'into an empty place has all blobs and events on disk before its log has its name, and that before it is acknowledged',
    async () => {
      expect(await provePlaceOrder(drivers, EMPTY)).toEqual([]);
    },
    HUNT_MS,
  );

  it.each(['no-folder-fsync', 'no-file-fsync', 'event-before-blob', 'no-staging'])(
    'into a registry that lives would be caught with the mutant %s',
    async (mutant) => {
      expect(await proveBackupOrder(drivers, { ...LIVING, mutant })).not.toEqual([]);
    },
    HUNT_MS,
  );

  it.each(['no-folder-fsync', 'no-file-fsync', 'event-before-blob', 'log-before-its-events'])(
    'into an empty place would be caught with the mutant %s',
    async (mutant) => {
      expect(await provePlaceOrder(drivers, { ...EMPTY, mutant })).not.toEqual([]);
    },
    HUNT_MS,
  );
});

describeTraced(`a restore of which a system call fails (CRASH_SEED=${SEED})`, () => {
  it.each(WORKS)(
    '%s says why, and does nothing that it does not tell',
    async (_where, work) => {
      const base = drivers.freshRoot();
      await drivers.run(base, work.before);
      const calls = await callsOf(drivers, base, work, CHANGING);
      const faults = chosen(calls.flatMap((call) => ERRNOS.map((errno) => ({ ...call, errno }))), SOME_FAULTS); // prettier-ignore
      const twice = { ...work, steps: [...work.steps, ...work.steps] };
      const outcomes = await inPairs(faults, (fault) => meetBackupFault(drivers, base, twice, fault));
      expect(outcomes.flatMap((outcome) => outcome ?? [])).toEqual([]);
      expect(outcomes.filter((outcome) => outcome !== undefined).length).toBeGreaterThan(faults.length / 2);
    },
    HUNT_MS,
  );
});
