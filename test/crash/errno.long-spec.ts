import { CHANGES, FaultHunt, UPLOADS } from './errno';
import { describeTraced, Drivers, inPairs } from './trace-driver';

const HUNT_MS = 3_600_000;
const MIN_FAULTS = 1000;
const MIN_FAULTS_OF_CHANGES = 300;

let drivers: Drivers;
beforeAll(() => void (drivers = new Drivers()));
afterAll(() => drivers.remove());

describeTraced('a system call that fails, each in turn, with each errno', () => {
  it.each([
    ['uploads, promotions and collections', UPLOADS, MIN_FAULTS],
    ['rollbacks, aliases, deletions and undeletions', CHANGES, MIN_FAULTS_OF_CHANGES],
  ])(
    'is told, harms nothing and is forgotten: %s',
    async (_what, work, least) => {
      const hunt = new FaultHunt(drivers, work);
      const faults = await hunt.faults();
      expect(faults.length).toBeGreaterThanOrEqual(least);
      expect((await inPairs(faults, (fault) => hunt.meet(fault))).flat()).toEqual([]);
    },
    HUNT_MS,
  );

  it(
    'is told for as long as it lasts, and no flush is believed that failed',
    async () => {
      const hunt = new FaultHunt(drivers, UPLOADS);
      const lasting = (await hunt.faults())
        .filter(({ errno, syscall }) => (syscall === 'fsync' && errno === 'EIO') || (syscall === 'link' && errno === 'ENOSPC'))
        .map((fault) => ({ ...fault, lasting: true }));
      expect((await inPairs(lasting, (fault) => hunt.meet(fault))).flat()).toEqual([]);
    },
    HUNT_MS,
  );
});
