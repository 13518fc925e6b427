import type { StoredEvent } from '../storage/event-log.port';
import { VerifyCoverage } from './verify-coverage';

const NOW = new Date('2026-11-23T12:00:00.000Z');
const daysAgo = (days: number): string => new Date(NOW.getTime() - days * 86_400_000).toISOString();

function covered(...reads: readonly { readonly at: string; readonly level?: string; readonly subset?: { n: number; t: number } }[]) {
  const coverage = new VerifyCoverage();
  for (const read of reads) coverage.apply({ kind: 'snapshot.verified', level: 'data', ...read } as unknown as StoredEvent);
  return coverage;
}

describe(VerifyCoverage, () => {
  it('is nothing before anybody has read, and where only the structure was looked at', () => {
    expect(covered().ratio(NOW)).toBe(0);
    expect(covered({ at: daysAgo(1), level: 'structure' }).ratio(NOW)).toBe(0);
  });

  it('counts the parts of a rotation once each', () => {
    const parts = [1, 2, 2, 3].map((n, day) => ({ at: daysAgo(day), subset: { n, t: 7 } }));
    expect(covered(...parts).ratio(NOW)).toBeCloseTo(3 / 7);
  });

  it('is all where everything was read in the last 30 days, and forgets what is older', () => {
    expect(covered({ at: daysAgo(29) }).ratio(NOW)).toBe(1);
    expect(covered({ at: daysAgo(31) }, { at: daysAgo(1), subset: { n: 1, t: 4 } }).ratio(NOW)).toBe(0.25);
  });

  it('reads every part in its turn, also after others were read, and begins anew where there are more', () => {
    expect(covered().next(7)).toEqual({ n: 1, t: 7 });
    expect(covered({ at: daysAgo(1), subset: { n: 3, t: 7 } }, { at: daysAgo(1) }).next(7)).toEqual({ n: 4, t: 7 });
    expect(covered({ at: daysAgo(1), subset: { n: 7, t: 7 } }).next(7)).toEqual({ n: 1, t: 7 });
    expect(covered({ at: daysAgo(1), subset: { n: 3, t: 5 } }).next(7)).toEqual({ n: 1, t: 7 });
  });
});
