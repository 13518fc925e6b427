import { theilSen } from './slope';

describe(theilSen, () => {
  it('finds the slope of a line, also where every fourth point is far off', () => {
    const line = Array.from({ length: 1000 }, (_, x) => [x, 3 * x + (x % 4 === 0 ? 10_000 : 0)] as const);
    expect(theilSen(line)).toBeCloseTo(3, 1);
  });

  it('finds none in noise', () => {
    expect(Math.abs(theilSen(Array.from({ length: 500 }, (_, x) => [x, (x * 7919) % 13])))).toBeLessThan(0.01);
  });
});
