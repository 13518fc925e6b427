import { SamplingPace } from './sampling-pace';

/** How many of so many calls a second are taken, by second. */
function taken(perSecond: number, seconds: number, random = Math.random): readonly number[] {
  let now = 0;
  const pace = new SamplingPace(() => now, random);
  return Array.from({ length: seconds }, () => {
    let count = 0;
    for (let at = 0; at < perSecond; at++) {
      now += 1000 / perSecond;
      if (pace.due()) count++;
    }
    return count;
  });
}

describe(SamplingPace, () => {
  it('takes all of up to a hundred calls a second', () => {
    expect(taken(50, 10)).toEqual(Array(10).fill(50));
    expect(taken(100, 10)).toEqual(Array(10).fill(100));
  });

  it.each([500, 5_000, 50_000])('takes about a hundred a second of %d, once the first second is over', (perSecond) => {
    const later = taken(perSecond, 30).slice(2);
    expect(later.reduce((sum, count) => sum + count, 0) / later.length).toBeGreaterThan(80);
    expect(later.reduce((sum, count) => sum + count, 0) / later.length).toBeLessThan(125);
  });

  it('does not take each so-manieth: what comes in turns is not always the same', () => {
    let now = 0;
    const pace = new SamplingPace(() => now);
    const hits = [0, 0];
    for (let at = 0; at < 200_000; at++) {
      now += 0.1;
      if (pace.due()) hits[at % 2]!++;
    }
    const [even = 0, odd = 0] = hits;
    expect(even / (even + odd)).toBeGreaterThan(0.4);
    expect(even / (even + odd)).toBeLessThan(0.6);
  });

  it('takes all again some time after there were many', () => {
    let now = 0;
    const pace = new SamplingPace(() => now);
    for (let at = 0; at < 50_000; at++, now += 0.1) pace.due();
    for (let at = 0; at < 400; at++, now += 100) pace.due();
    expect(Array.from({ length: 100 }, () => ((now += 100), pace.due())).filter(Boolean)).toHaveLength(100);
  });
});
