import { FaultHunt } from './errno';
import { describeTraced, Drivers, inPairs } from './trace-driver';

const HUNT_MS = 3_600_000;
const MIN_FAULTS = 1000;

let drivers: Drivers;
beforeAll(() => void (drivers = new Drivers()));
afterAll(() => drivers.remove());

describeTraced('a system call that fails, each in turn, with each errno', () => {
  it(
    'is told, harms nothing and is forgotten',
    async () => {
      const hunt = new FaultHunt(drivers);
      const faults = await hunt.faults();
      expect(faults.length).toBeGreaterThanOrEqual(MIN_FAULTS);
      expect((await inPairs(faults, (fault) => hunt.meet(fault))).flat()).toEqual([]);
    },
    HUNT_MS,
  );

  it(
    'is told for as long as it lasts, and no flush is believed that failed',
    async () => {
      const hunt = new FaultHunt(drivers);
      const lasting = (await hunt.faults())
        .filter(({ errno, syscall }) => (syscall === 'fsync' && errno === 'EIO') || (syscall === 'link' && errno === 'ENOSPC'))
        .map((fault) => ({ ...fault, lasting: true }));
      expect((await inPairs(lasting, (fault) => hunt.meet(fault))).flat()).toEqual([]);
    },
    HUNT_MS,
  );
});
