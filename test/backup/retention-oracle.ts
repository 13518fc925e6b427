import * as fc from 'fast-check';
import type { Retained, RetentionPolicy } from '../../src/backup/retention/retention';

/** Everything that retention is asked. */
export interface OneHistory {
  readonly policy: RetentionPolicy;
  readonly snapshots: readonly Retained[];
  readonly now: Date;
  readonly zone: string;
}

export const NOW = new Date('2026-11-23T12:00:00.000Z');

const RULES = ['daily', 'weekly', 'monthly'] as const;
const formats = new Map<string, Intl.DateTimeFormat>();

/** What must stay, by another way than the house's: groups by the names of days, weeks and months, and takes the first of each. */
export function oracle({ policy, snapshots, now, zone }: OneHistory): Record<string, boolean> {
  const live = snapshots.filter(({ deleted }) => deleted === undefined);
  const doubtful = live.some(({ createdAt }) => createdAt > now.toISOString());
  const labels = new Map(live.map(({ id, createdAt }) => [id, labelsOf(createdAt, zone)]));
  const choose = (all: readonly Retained[]): Set<string> => {
    const newestFirst = all.toSorted((a, b) => (`${a.createdAt} ${a.id}` < `${b.createdAt} ${b.id}` ? 1 : -1)).map(({ id }) => id);
    const chosen = new Set(newestFirst.slice(0, Math.max(1, policy.last)));
    for (const rule of RULES) {
      const groups = Map.groupBy(newestFirst, (id) => labels.get(id)![rule]);
      const newestGroups = [...groups].toSorted(([a], [b]) => (a < b ? 1 : -1)).slice(0, policy[rule]);
      for (const [, [first]] of newestGroups) chosen.add(first!);
    }
    return chosen;
  };
  const good = live.filter(({ verified, damaged, createdAt }) => verified && !damaged?.length && createdAt <= now.toISOString());
  const chosen = choose(good);
  const stays = (snapshot: Retained): boolean => {
    if (snapshot.deleted) return false;
    if (doubtful || snapshot.undeleted) return true;
    return (good.includes(snapshot) ? chosen : choose([...good, snapshot])).has(snapshot.id);
  };
  return Object.fromEntries(snapshots.map((snapshot) => [snapshot.id, stays(snapshot)]));
}

function labelsOf(createdAt: string, zone: string): Record<(typeof RULES)[number], string> {
  const format = formats.get(zone) ?? new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' });
  formats.set(zone, format);
  const daily = format.format(new Date(createdAt));
  const thursday = new Date(`${daily}T12:00:00Z`);
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7));
  const year = thursday.getUTCFullYear();
  const week = Math.ceil(((thursday.getTime() - Date.UTC(year, 0, 1)) / 86_400_000 + 1) / 7);
  return { daily, weekly: `${year}-W${String(week).padStart(2, '0')}`, monthly: daily.slice(0, 7) };
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Leap days, weeks 53, changes of the clocks (St. John's did it at a minute past midnight), a day left out, both ends of time. */
const PLACES = [
  ...['1970-01-01T00:00:00Z', '1970-02-10T00:00:00Z', '2010-11-07T02:31:00Z', '2011-12-30T10:00:00Z', '2020-03-01T00:00:00Z'],
  ...['2021-01-04T00:00:00Z', '2024-02-29T12:00:00Z', '2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z', '2026-11-23T12:00:00Z'],
  ...['2027-01-03T23:59:59Z', '2100-03-01T00:00:00Z', '2100-12-31T23:59:59Z'],
];
const ZONES = [
  ...['UTC', 'Europe/Prague', 'America/New_York', 'America/St_Johns', 'Asia/Kolkata', 'Asia/Kathmandu'],
  ...['Pacific/Apia', 'Pacific/Kiritimati', 'Australia/Lord_Howe', 'Africa/Casablanca'],
];

const age = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 60 * 24 }).map((hours) => hours * HOUR_MS) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 3 * DAY_MS }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 40 }).map((months) => months * 30 * DAY_MS) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, DAY_MS) },
);
const often = fc.integer({ min: 0, max: 9 }).map((die) => die > 2);
const seldom = fc.integer({ min: 0, max: 19 }).map((die) => die === 0);
const count = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 40 }));

/** Random histories, policies, zones and clocks. */
export const histories: fc.Arbitrary<OneHistory> = fc
  .record({
    place: fc.constantFrom(...PLACES),
    zone: fc.constantFrom(...ZONES),
    policy: fc
      .record({ last: count, daily: count, weekly: count, monthly: count })
      .filter(({ last, daily, weekly, monthly }) => last + daily + weekly + monthly > 0),
    many: fc.array(fc.record({ age, verified: often, deleted: seldom, damaged: seldom, undeleted: seldom }), { maxLength: 30 }),
    clock: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: -DAY_MS, max: 20 * DAY_MS }) }),
  })
  .map(({ place, zone, policy, many, clock }) => ({
    ...{ zone, policy, now: new Date(Date.parse(place) - clock) },
    snapshots: many.map(({ age: before, verified, deleted, damaged, undeleted }, at) => ({
      id: `${at % 7}-${at}`, // not in the order of time
      createdAt: new Date(Math.max(0, Date.parse(place) - before)).toISOString(),
      ...(verified && { verified: true }),
      ...(deleted && { deleted: true }),
      ...(damaged && { damaged: ['an object'] }),
      ...(undeleted && { undeleted: true }),
    })),
  }));
