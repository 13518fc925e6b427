import { CronSchedule } from './cron-schedule';

const HOUR_MS = 3_600_000;
const next = (expression: string, zone: string, after: string): string =>
  new CronSchedule(expression, zone).nextAfter(new Date(after)).toISOString();

describe(CronSchedule, () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: Date.UTC(2026, 10, 23, 12) });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it.each([
    ['0 3 * * *', 'UTC', '2026-11-23T02:59:59.999Z', '2026-11-23T03:00:00.000Z'],
    ['0 3 * * *', 'UTC', '2026-11-23T03:00:00.000Z', '2026-11-24T03:00:00.000Z'],
    ['0 3 * * *', 'Europe/Prague', '2026-11-23T02:00:00.000Z', '2026-11-24T02:00:00.000Z'],
    ['0 3 * * MON-FRI', 'UTC', '2026-11-27T04:00:00.000Z', '2026-11-30T03:00:00.000Z'],
    ['0 3 29 2 *', 'UTC', '2026-11-23T00:00:00.000Z', '2028-02-29T03:00:00.000Z'],
    // an hour that is left out, and one that comes twice
    ['30 2 * * *', 'Europe/Prague', '2026-03-28T12:00:00.000Z', '2026-03-29T01:00:00.000Z'],
    ['30 2 * * *', 'Europe/Prague', '2026-10-25T00:30:05.000Z', '2026-10-26T01:30:00.000Z'],
    ['0 3 * * *', 'Europe/Prague', '2026-10-24T12:00:00.000Z', '2026-10-25T02:00:00.000Z'],
    ['0 3 * * *', 'Europe/Prague', '2026-10-25T01:00:00.000Z', '2026-10-25T02:00:00.000Z'],
    ['*/20 * * * *', 'Europe/Prague', '2026-10-25T00:40:00.000Z', '2026-10-25T01:00:00.000Z'],
    ['*/20 * * * *', 'Europe/Prague', '2026-10-25T01:40:00.000Z', '2026-10-25T02:00:00.000Z'],
  ])('%s in %s is due after %s at %s', (expression, zone, after, expected) => {
    expect(next(expression, zone, after)).toBe(expected);
  });

  it('is always due later than when it is asked, every five minutes of the day on which an hour comes twice', () => {
    for (const expression of ['30 2 * * *', '*/20 * * * *', '0 * * * *', '59 1,2 * * *']) {
      const schedule = new CronSchedule(expression, 'Europe/Prague');
      for (let at = Date.UTC(2026, 9, 24, 22); at < Date.UTC(2026, 9, 25, 4); at += 300_000) {
        expect(schedule.nextAfter(new Date(at)).getTime()).toBeGreaterThan(at);
      }
    }
  });

  it.each([
    ['0 3 * * *', 24],
    ['*/15 * * * *', 0.25],
    ['0 3 * * MON-FRI', 72],
    ['0 3 1 * *', 31 * 24],
    ['0 3 29 2 *', (4 * 365 + 1) * 24],
  ])('%s has at most %d hours between two times', (expression, hours) => {
    expect(new CronSchedule(expression, 'UTC').intervalMs).toBe(hours * HOUR_MS);
  });

  it('is none where the setting says off', () => {
    expect(CronSchedule.of({ schedule: 'off', timezone: 'UTC' })).toBeUndefined();
    expect(CronSchedule.of({ schedule: '0 3 * * *', timezone: 'UTC' })?.expression).toBe('0 3 * * *');
  });
});
