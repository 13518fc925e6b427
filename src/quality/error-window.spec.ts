import * as fc from 'fast-check';
import { ErrorWindow } from './error-window';

describe(ErrorWindow, () => {
  it('has no figures before anything was told', () => {
    expect(new ErrorWindow(10).figures()).toBeUndefined();
  });

  it('has the figures that three outcomes have', () => {
    const window = new ErrorWindow(10);
    window.add(1, 2); // off by -1, both upwards
    window.add(-1, 2); // off by -3, other ways
    window.add(-2, -4); // off by 2, both downwards
    expect(window.figures()).toEqual({ mae: 2, rmse: Math.sqrt((1 + 9 + 4) / 3), directionalAccuracy: 2 / 3 });
  });

  it.each([
    [0, 0, undefined, 1],
    [0, 1, undefined, 0],
    [-0, 0, undefined, 1],
    [101, 102, 100, 1],
    [99, 102, 100, 0],
    [100, 100, 100, 1],
    [101, 102, undefined, 1],
    [99, 102, undefined, 1],
  ])('compares the directions of %d and %d from %d', (predicted, actual, previous, right) => {
    const window = new ErrorWindow(10);
    window.add(predicted, actual, previous);
    expect(window.figures()?.directionalAccuracy).toBe(right);
  });

  it('has the figures of the last outcomes only', () => {
    const number = fc.integer({ min: -10_000, max: 10_000 }).map((thousandths) => thousandths / 1000);
    fc.assert(
      fc.property(fc.array(fc.tuple(number, number), { minLength: 1, maxLength: 50 }), fc.integer({ min: 1, max: 20 }), (pairs, size) => {
        const window = new ErrorWindow(size);
        for (const [predicted, actual] of pairs) window.add(predicted, actual);
        const last = pairs.slice(-size);
        const errors = last.map(([predicted, actual]) => predicted - actual);
        const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
        const { mae, rmse, directionalAccuracy } = window.figures() as NonNullable<ReturnType<ErrorWindow['figures']>>;
        expect(mae).toBeCloseTo(meanOf(errors.map(Math.abs)), 6);
        expect(rmse).toBeCloseTo(Math.hypot(...errors) / Math.sqrt(errors.length), 9);
        expect(directionalAccuracy).toBe(
          meanOf(last.map(([a, b]) => Number((a > 0 && b > 0) || (a < 0 && b < 0) || (a === 0 && b === 0)))),
        );
      }),
    );
  });

  it('is not spoilt for good by a huge error that has left, and stays finite with nothing but such', () => {
    const window = new ErrorWindow(3);
    for (let at = 0; at < 3; at++) window.add(1e150, -1e150);
    expect(window.figures()?.rmse).toBeCloseTo(2e150, -140);
    for (let at = 0; at < 3; at++) window.add(2, 1);
    expect(window.figures()).toEqual({ mae: 1, rmse: 1, directionalAccuracy: 1 });
  });
});
