import { DrainRate } from './drain-rate';

/** As many calls as `perSecond` says, evenly, from `fromMs` until `toMs`. */
function drained(perSecond: number, fromMs: number, toMs: number): DrainRate {
  const rate = new DrainRate();
  rate.begin(fromMs);
  for (let at = fromMs + 1000 / perSecond; at <= toMs; at += 1000 / perSecond) rate.count(at);
  return rate;
}

describe(DrainRate, () => {
  it.each([300, 1000, 2000, 4900, 60_000])('tells the same after %i ms of the same load', (ms) => {
    const seconds = drained(10, 123_456, 123_456 + ms).secondsFor(100, 123_456 + ms);
    expect(seconds).toBeGreaterThanOrEqual(9);
    expect(seconds).toBeLessThanOrEqual(12);
  });

  it('tells more where more waits, and less where it goes faster', () => {
    const secondsFor = (calls: number, perSecond: number): number => drained(perSecond, 0, 8000).secondsFor(calls, 8000);
    expect([10, 100, 200, 400].map((calls) => secondsFor(calls, 10))).toEqual([1, 10, 20, 40]);
    expect([10, 20, 100].map((perSecond) => secondsFor(100, perSecond))).toEqual([10, 5, 1]);
  });

  it('tells at least a second and at most a minute, and a second where nothing can have ended yet', () => {
    expect(drained(1000, 0, 5000).secondsFor(1, 5000)).toBe(1);
    expect(drained(1, 0, 5000).secondsFor(10_000, 5000)).toBe(60);
    const rate = new DrainRate();
    rate.begin(5000);
    expect(rate.secondsFor(100, 5001)).toBe(1);
  });

  it('tells more the longer nothing is answered', () => {
    const rate = new DrainRate();
    rate.begin(5000);
    expect([5125, 5250, 5500, 9000, 90_000].map((now) => rate.secondsFor(100, now))).toEqual([13, 25, 50, 60, 60]);
  });

  it('forgets how fast it went before nothing was left to do', () => {
    const rate = drained(1000, 0, 2000);
    rate.begin(2500);
    rate.count(3500);
    expect(rate.secondsFor(10, 3500)).toBe(10);
  });
});
