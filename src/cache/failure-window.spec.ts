import { BackOff } from './back-off';
import { FailureWindow } from './failure-window';

describe(FailureWindow, () => {
  it('has enough of 5 failures in a row', () => {
    const window = new FailureWindow();
    expect([1, 2, 3, 4, 5].map((at) => window.count(true, at * 10_000))).toEqual([false, false, false, false, true]);
  });

  it('begins to count again after one that went well', () => {
    const window = new FailureWindow();
    const outcomes = [true, true, true, true, false, true, true, true, true];
    expect(outcomes.some((failed, at) => window.count(failed, at * 10_000))).toBe(false);
  });

  it('has enough where half of 20 fail within a second, and not before there are 20', () => {
    const window = new FailureWindow();
    const enough = Array.from({ length: 20 }, (_, at) => window.count(at % 2 === 1, 5000 + at * 10));
    expect(enough.indexOf(true)).toBe(19);
  });

  it('has not enough where fewer than half fail', () => {
    const window = new FailureWindow();
    expect(Array.from({ length: 300 }, (_, at) => window.count(at % 3 === 2, 5000 + at)).includes(true)).toBe(false);
  });

  it('forgets after a second', () => {
    const window = new FailureWindow();
    const half = (now: number, commands: number): boolean =>
      Array.from({ length: commands }, (_, at) => window.count(at % 2 === 1, now)).includes(true);
    expect(half(5000, 18)).toBe(false);
    expect(half(6100, 18)).toBe(false);
    expect(half(6150, 2)).toBe(true);
  });
});

describe(BackOff, () => {
  it('waits for half a second at least and 3.5 s at most, longer each time', () => {
    const random = jest.spyOn(Math, 'random');
    const waits = (dice: number): readonly number[] => {
      random.mockReturnValue(dice);
      const backOff = new BackOff();
      return [1, 2, 3, 4, 5, 6].map(() => backOff.next());
    };
    expect(waits(0)).toEqual([500, 500, 500, 500, 500, 500]);
    expect(waits(1)).toEqual([1000, 2000, 3500, 3500, 3500, 3500]);
    random.mockRestore();
  });

  it('begins with short ones again after a good time', () => {
    const backOff = new BackOff();
    for (let at = 0; at < 10; at++) backOff.next();
    backOff.reset();
    expect(backOff.next()).toBeLessThanOrEqual(1000);
  });
});
