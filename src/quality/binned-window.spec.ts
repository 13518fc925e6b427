import * as fc from 'fast-check';
import { BinnedWindow } from './binned-window';
import { populationStability } from './feature-bins';

const HALVES = { feature: 'x', edges: [0], shares: [0.5, 0.5, 0] };
const THIRDS = { feature: 'y', edges: [-1, 1], shares: [0.25, 0.5, 0.25, 0] };

/** Counted anew from all rows. */
function slow(rows: readonly (readonly [number, number])[], size: number): readonly [number, number] {
  const last = rows.slice(-size);
  const among = (values: readonly number[], bins: readonly ((value: number) => boolean)[]): readonly number[] =>
    bins.map((has) => values.filter(has).length);
  const x = among(last.map(([value]) => value), [(v) => v < 0, (v) => v >= 0, Number.isNaN]); // prettier-ignore
  const y = among(last.map(([, value]) => value), [(v) => v < -1, (v) => v >= -1 && v < 1, (v) => v >= 1, Number.isNaN]); // prettier-ignore
  return [populationStability(HALVES.shares, x), populationStability(THIRDS.shares, y)];
}

describe(BinnedWindow, () => {
  it('has the index of the last rows only', () => {
    const value = fc.oneof(fc.double({ min: -3, max: 3, noNaN: true }), fc.constant(Number.NaN));
    fc.assert(
      fc.property(fc.array(fc.tuple(value, value), { minLength: 10, maxLength: 60 }), fc.integer({ min: 1, max: 10 }), (rows, size) => {
        const window = new BinnedWindow([HALVES, THIRDS], size);
        for (const row of rows) window.add(Float64Array.from(row));
        const found = new Map(window.drift().map(({ feature, psi }) => [feature, psi]));
        const [x, y] = slow(rows, size);
        expect(found.get('x')).toBeCloseTo(x, 10);
        expect(found.get('y')).toBeCloseTo(y, 10);
        expect(window.rows).toBe(Math.min(rows.length, size));
      }),
      { numRuns: 300 },
    );
  });

  it('says nothing of fewer than 250 rows, unless it holds no more', () => {
    const [wide, narrow] = [new BinnedWindow([HALVES], 1000), new BinnedWindow([HALVES], 20)];
    for (let at = 0; at < 249; at++) wide.add(Float64Array.of(1));
    for (let at = 0; at < 19; at++) narrow.add(Float64Array.of(1));
    expect([wide.drift()[0]?.psi, narrow.drift()[0]?.psi]).toEqual([null, null]);
    wide.add(Float64Array.of(1));
    narrow.add(Float64Array.of(1));
    expect([wide.drift()[0]?.psi, narrow.drift()[0]?.psi]).toEqual([expect.any(Number), expect.any(Number)]);
  });

  it('names first what went farthest', () => {
    const window = new BinnedWindow([HALVES, THIRDS], 10);
    for (let at = 0; at < 10; at++) window.add(Float64Array.of(at % 2 === 0 ? -1 : 1, 5));
    expect(window.drift().map(({ feature }) => feature)).toEqual(['y', 'x']);
  });

  it('computes again only when rows have come', () => {
    const window = new BinnedWindow([HALVES], 10);
    for (let at = 0; at < 10; at++) window.add(Float64Array.of(1));
    const before = window.drift();
    expect(window.drift()).toBe(before);
    window.add(Float64Array.of(-1));
    expect(window.drift()).not.toEqual(before);
  });
});
