import { setTimeout as sleep } from 'node:timers/promises';
import { ThreadClock } from './thread-clock';

function compute(ms: number): void {
  const { user, system } = process.threadCpuUsage();
  for (let spent = 0; spent < ms;) {
    const now = process.threadCpuUsage();
    spent = (now.user + now.system - user - system) / 1000;
  }
}

describe(ThreadClock, () => {
  it('tells how long this thread computed', () => {
    const clock = new ThreadClock();
    const begun = clock.begin();
    compute(30);
    expect(clock.msSince(begun)).toBeGreaterThanOrEqual(30);
  });

  it('does not tell of what it waited for', async () => {
    const clock = new ThreadClock();
    const begun = clock.begin();
    await sleep(60);
    expect(clock.msSince(begun)).toBeLessThan(50);
  });

  it('does not tell of what was computed since its last look and before', () => {
    const looks = jest.spyOn(process, 'threadCpuUsage');
    const clock = new ThreadClock();
    const now = jest.spyOn(performance, 'now').mockReturnValue(1000);
    clock.begin();
    const before = looks.mock.calls.length;
    now.mockReturnValue(1000.9);
    expect(clock.begin()).toBe(1000.9); // no look: the last one is fresh
    expect(looks).toHaveBeenCalledTimes(before);
    looks.mockReturnValue({ user: 6000, system: 400 });
    expect(clock.msSince(1000.9)).toBeCloseTo(5.5, 6);
    jest.restoreAllMocks();
  });
});
