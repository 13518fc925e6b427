import * as fc from 'fast-check';
import { NOW, type OneHistory, histories, oracle } from '../../../test/backup/retention-oracle';
import { retain, type Retained, type RetentionPolicy } from './retention';

const NONE: RetentionPolicy = { last: 0, daily: 0, weekly: 0, monthly: 0 };
const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

const good = (createdAt: string): Retained => ({ id: createdAt, createdAt, verified: { at: createdAt, level: 'data' } });
const unverified = (createdAt: string): Retained => ({ id: createdAt, createdAt });
const nightly = (nights: number): Retained[] =>
  Array.from({ length: nights }, (_, night) => good(new Date(Date.UTC(2026, 10, 23, 3) - night * 24 * HOUR_MS).toISOString()));

const kept = (policy: Partial<RetentionPolicy>, snapshots: readonly Retained[], now = NOW, zone = 'UTC'): string[] =>
  retain({ ...NONE, ...policy }, snapshots, now, zone)
    .filter(({ keep }) => keep)
    .map(({ id }) => id);
const reasonsOf = (policy: Partial<RetentionPolicy>, snapshots: readonly Retained[], now = NOW): Record<string, readonly string[]> =>
  Object.fromEntries(retain({ ...NONE, ...policy }, snapshots, now, 'UTC').map(({ id, reasons }) => [id, reasons]));
const verdictsOf = ({ policy, snapshots, now, zone }: OneHistory) =>
  Object.fromEntries(retain(policy, snapshots, now, zone).map(({ id, keep }) => [id, keep]));

/** What is still there after what retention says was done. */
function pruned(history: OneHistory): OneHistory {
  const verdicts = verdictsOf(history);
  return { ...history, snapshots: history.snapshots.filter(({ id }) => verdicts[id]) };
}

describe(retain, () => {
  it('is the oracle’s equal on 10,000 random histories', () => {
    fc.assert(
      fc.property(histories, (history) => {
        expect(verdictsOf(history)).toEqual(oracle(history));
      }),
      { numRuns: 10_000 },
    );
  }, 60_000);

  it('keeps seven days of nightly snapshots', () => {
    const nights = nightly(30);
    expect(kept({ daily: 7 }, nights)).toEqual(nights.slice(0, 7).map(({ id }) => id));
  });

  it('keeps what any rule keeps, and says which ones do', () => {
    const nights = nightly(70);
    const reasons = reasonsOf({ last: 1, daily: 2, weekly: 3, monthly: 2 }, nights);
    expect(Object.fromEntries(Object.entries(reasons).filter(([, [reason]]) => reason !== 'superseded'))).toEqual({
      '2026-11-23T03:00:00.000Z': ['newest', 'last', 'daily:2026-11-23', 'weekly:2026-W48', 'monthly:2026-11'],
      '2026-11-22T03:00:00.000Z': ['daily:2026-11-22', 'weekly:2026-W47'],
      '2026-11-15T03:00:00.000Z': ['weekly:2026-W46'],
      '2026-10-31T03:00:00.000Z': ['monthly:2026-10'],
    });
  });

  it('keeps the newest one of a day, and of two at the same time the same one every time', () => {
    const same = '2026-11-22T05:00:00.000Z';
    const snapshots = [{ ...good(same), id: 'a' }, { ...good(same), id: 'b' }, good('2026-11-22T04:00:00.000Z')];
    expect(kept({ daily: 3 }, snapshots)).toEqual(['b']);
    expect(kept({ daily: 3 }, snapshots.toReversed())).toEqual(['b']);
  });

  it('does not count days without a snapshot', () => {
    const snapshots = ['2026-11-20', '2026-08-01', '2020-02-29', '2020-02-28'].map((day) => good(`${day}T03:00:00.000Z`));
    expect(kept({ daily: 3 }, snapshots)).toEqual(snapshots.slice(0, 3).map(({ id }) => id));
  });

  it('knows the days of a zone', () => {
    const before = good('2026-11-21T22:59:59.999Z');
    const after = good('2026-11-21T23:00:00.000Z'); // the 22nd in Prague
    expect(kept({ daily: 2 }, [after, before], NOW, 'UTC')).toEqual([after.id]);
    expect(kept({ daily: 2 }, [after, before], NOW, 'Europe/Prague')).toEqual([after.id, before.id]);
  });

  it.each([
    ['nothing', NONE],
    ['less than nothing', { ...NONE, daily: -1 }],
    ['half a snapshot', { ...NONE, last: 0.5 }],
    ['no number', { ...NONE, weekly: Number.NaN }],
    ['numbers that are missing', { daily: 7 } as RetentionPolicy],
  ])('refuses a policy that keeps %s, also where there is nothing to delete', (_what, policy) => {
    expect(() => retain(policy, [], NOW, 'UTC')).toThrow(expect.objectContaining({ code: 'RETENTION_EMPTY' }));
  });

  it('never deletes the newest verified one, whatever came after it', () => {
    const verified = good('2026-01-01T03:00:00.000Z');
    const later = Array.from({ length: 20 }, (_, day) => unverified(new Date(Date.UTC(2026, 1, 1 + day)).toISOString()));
    expect(kept({ last: 1 }, [...later, verified])).toContain(verified.id);
    expect(reasonsOf({ last: 1 }, [...later, verified])[verified.id]).toEqual(['newest', 'last']);
  });

  it('lets an unverified one go only where it would go if it were verified', () => {
    const [today, yesterday, before] = nightly(3) as [Retained, Retained, Retained];
    const snapshots = [today, unverified(yesterday.createdAt), before];
    expect(reasonsOf({ daily: 2 }, snapshots)).toEqual({
      [today.id]: ['newest', 'daily:2026-11-23'],
      [yesterday.id]: ['daily:2026-11-22', 'unverified'], // it may still be found good
      [before.id]: ['daily:2026-11-21'], // and until then pushes nothing out
    });
    expect(reasonsOf({ daily: 1 }, snapshots)[yesterday.id]).toEqual(['superseded', 'unverified']);
  });

  it('does not count one of which the disk lacks a part, whatever was found before', () => {
    const [today, yesterday] = nightly(2) as [Retained, Retained];
    const reasons = reasonsOf({ last: 1 }, [{ ...today, damaged: ['an object'] }, yesterday]);
    expect(reasons).toEqual({ [today.id]: ['newest', 'last', 'unverified'], [yesterday.id]: ['newest', 'last'] });
    expect(kept({ last: 1 }, [{ ...today, damaged: [] }, yesterday])).toEqual([today.id]);
  });

  it('does not count one that is deleted already', () => {
    const [today, yesterday] = nightly(2) as [Retained, Retained];
    const deleted = { ...today, deleted: { at: today.createdAt, reason: 'by hand' } };
    expect(reasonsOf({ last: 1 }, [deleted, yesterday])).toEqual({ [today.id]: ['deleted'], [yesterday.id]: ['newest', 'last'] });
  });

  it('leaves one that a person brought back', () => {
    const [today, yesterday] = nightly(2) as [Retained, Retained];
    const reasons = reasonsOf({ last: 1 }, [today, { ...yesterday, undeleted: { at: NOW.toISOString() } }]);
    expect(reasons[yesterday.id]).toEqual(['undeleted']);
  });

  it('keeps and flags what is dated after now, does not count it, and deletes nothing while the clock is in doubt', () => {
    const ahead = good('2100-01-01T00:00:00.000Z');
    const [today, yesterday] = nightly(2) as [Retained, Retained];
    expect(reasonsOf({ last: 1 }, [ahead, today, yesterday])).toEqual({
      [ahead.id]: ['future'],
      [today.id]: ['newest', 'last'],
      [yesterday.id]: ['clock'],
    });
  });

  it('deletes nothing where the clock was set back by a year', () => {
    const nights = nightly(800);
    expect(kept({ daily: 7, monthly: 24 }, nights).length).toBeLessThan(40);
    expect(kept({ daily: 7, monthly: 24 }, nights, new Date(NOW.getTime() - YEAR_MS))).toHaveLength(800);
  });

  it('deletes nothing more where it is asked again, whenever the clock was set back to', () => {
    fc.assert(
      fc.property(histories, fc.integer({ min: 0, max: 200 * YEAR_MS }), (history, back) => {
        const again = pruned(history);
        const all = again.snapshots.map(({ id }) => id);
        expect(pruned(again).snapshots.map(({ id }) => id)).toEqual(all);
        const then = { ...again, now: new Date(again.now.getTime() - back) };
        expect(pruned(then).snapshots.map(({ id }) => id)).toEqual(all);
      }),
      { numRuns: 1000 },
    );
  });

  it('lets nothing that is not verified decide about another', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const now = new Date(Math.max(history.now.getTime(), ...history.snapshots.map(({ createdAt }) => Date.parse(createdAt))));
        const counted = history.snapshots.filter(({ verified, damaged }) => verified !== undefined && damaged === undefined);
        const without = verdictsOf({ ...history, now, snapshots: counted });
        expect(verdictsOf({ ...history, now })).toMatchObject(without);
      }),
      { numRuns: 1000 },
    );
  });
});
