import * as fc from 'fast-check';
import { binOf, decileBins, populationStability } from './feature-bins';

/** Numbers by chance that are the same each time: two of them make a normal one. */
function numbers(seed: number): () => number {
  let state = seed;
  const even = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  return () => Math.sqrt(-2 * Math.log(even())) * Math.cos(2 * Math.PI * even());
}

const normal = (seed: number, count: number, mean = 0, deviation = 1): Float64Array => {
  const next = numbers(seed);
  return Float64Array.from({ length: count }, () => mean + deviation * next());
};

function stability(before: Float64Array, now: Float64Array): number {
  const { edges, shares } = decileBins('x', before);
  const counts = shares.map(() => 0);
  for (const value of now) counts[binOf(edges, value)]!++;
  return populationStability(shares, counts);
}

describe(binOf, () => {
  it.each([
    [-1, 0],
    [0, 1],
    [0.5, 1],
    [1, 2],
    [7, 2],
    [Number.NEGATIVE_INFINITY, 0],
    [Number.POSITIVE_INFINITY, 2],
    [Number.NaN, 3],
  ])('puts %d between the edges 0 and 1 into bin %d', (value, bin) => {
    expect(binOf([0, 1], value)).toBe(bin);
  });

  it('counts the edges that are not above the value', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: -20, max: 20 }), { maxLength: 12 }),
        fc.integer({ min: -25, max: 25 }),
        (given, value) => {
          const edges = given.toSorted((a, b) => a - b);
          expect(binOf(edges, value)).toBe(edges.filter((edge) => edge <= value).length);
        },
      ),
    );
  });
});

describe(decileBins, () => {
  it('has its edges at the deciles: of 1 to 100 a tenth is in each bin', () => {
    const { edges, shares } = decileBins(
      'x',
      Float64Array.from({ length: 100 }, (_, at) => at + 1),
    );
    expect(edges).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90]);
    expect(shares).toEqual([0.09, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.11, 0]);
  });

  it('has an edge once where many values are equal', () => {
    expect(decileBins('flag', Float64Array.from([0, 0, 0, 1, 1, 1, 1, 1, 1, 1]))).toEqual({
      feature: 'flag',
      edges: [0, 1],
      shares: [0, 0.3, 0.7, 0],
    });
  });

  it.each([0, 5, -5, 1e300])('keeps apart what is below and what is above of a value that was always %d', (value) => {
    const bins = decileBins('x', Float64Array.from([value, value]));
    const [below, same, above] = [value - 1 - Math.abs(value), value, value + 1 + Math.abs(value)].map((each) => binOf(bins.edges, each));
    expect([below, same, above]).toEqual([0, 1, 2]);
    expect(bins.shares).toEqual([0, 1, 0, 0]);
  });

  it('counts what is no number by itself', () => {
    const { edges, shares } = decileBins('x', Float64Array.from([Number.NaN, 1, 2, Number.NaN]));
    expect(edges).toEqual([1, 2]);
    expect(shares).toEqual([0, 0.25, 0.25, 0.5]);
  });

  it('has one bin where nothing is a number', () => {
    expect(decileBins('x', Float64Array.from([Number.NaN]))).toEqual({ feature: 'x', edges: [], shares: [0, 1] });
  });
});

describe(populationStability, () => {
  it('is the sum that the definition has', () => {
    // (0.3-0.5)·ln(0.3/0.5) + (0.7-0.5)·ln(0.7/0.5) = 0.102165 + 0.067294
    expect(populationStability([0.5, 0.5], [30, 70])).toBeCloseTo(0.169_46, 5);
  });

  it('takes 0.0001 for an empty bin, on both sides', () => {
    // (0.0001-0.5)·ln(0.0001/0.5) + (1-0.5)·ln(2) = 4.257745 + 0.346574
    expect(populationStability([0.5, 0.5], [0, 10])).toBeCloseTo(4.604_32, 4);
    expect(populationStability([0, 1], [0, 10])).toBe(0);
    expect(populationStability([0, 1], [5, 5])).toBeCloseTo(0.4999 * Math.log(5000) - 0.5 * Math.log(0.5), 10);
  });

  it('is never negative, 0 for equal shares, and the same both ways', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 50 })), { minLength: 1, maxLength: 12 }),
        (bins) => {
          const [first, second] = [bins.map(([a]) => a + 1), bins.map(([, b]) => b + 1)];
          const shares = (counts: readonly number[]): readonly number[] => counts.map((count) => count / counts.reduce((a, b) => a + b));
          const there = populationStability(shares(first), second);
          expect(there).toBeGreaterThanOrEqual(0);
          expect(there).toBeCloseTo(populationStability(shares(second), first), 10);
          expect(populationStability(shares(first), first)).toBeCloseTo(0, 12);
        },
      ),
    );
  });

  it('stays below 0.1 for another thousand of the same distribution', () => {
    for (let seed = 1; seed <= 50; seed++) expect(stability(normal(seed, 1000), normal(seed + 1000, 1000))).toBeLessThan(0.1);
  });

  it.each([
    ['the mean by one deviation', 1, 1],
    ['the deviation to a half', 0, 0.5],
    ['the deviation to the double', 0, 2],
  ])('is above 0.25 where a shift moves %s', (_, mean, deviation) => {
    for (let seed = 1; seed <= 50; seed++) {
      expect(stability(normal(seed, 1000), normal(seed + 1000, 1000, mean, deviation))).toBeGreaterThan(0.25);
    }
  });
});
