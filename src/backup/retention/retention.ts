import { calendarOf, type Place } from './calendar';
import { RetentionEmpty } from './retention.errors';

/** How many snapshots stay: the newest ones, and the newest one of each of the newest days, weeks and months that have any. */
export interface RetentionPolicy {
  readonly last: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
}

/** What retention needs to know of a snapshot; `SnapshotRecord` says it. */
export interface Retained {
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** Only what was found good counts. */
  readonly verified?: unknown;
  /** What the disk lacks of it: it does not count then, whatever was found before. */
  readonly damaged?: readonly string[];
  /** Taken back already: it neither counts nor stays. */
  readonly deleted?: unknown;
  /** Brought back by a person: it stays until a person deletes it. */
  readonly undeleted?: unknown;
  /** A restore reads it: it stays until that has ended. */
  readonly pinned?: unknown;
}

/** What becomes of a snapshot, and why. */
export interface Verdict {
  readonly id: string;
  readonly keep: boolean;
  /**
   * Why it stays: `newest`, `last`, `daily:2026-11-22`, `weekly:2026-W47`, `monthly:2026-11`, `undeleted`, `pinned`, `future` (dated after now),
   * `clock` (only because another one is), with `unverified` beside them where it stays for what it will be once it is verified.
   * Why it goes: `superseded`, `deleted`.
   */
  readonly reasons: readonly string[];
}

interface Dated extends Retained {
  readonly at: number;
  readonly place: Place;
}

/**
 * Decides which snapshots stay. Only verified ones push others out; one that is not verified goes only where it would go if it were.
 * While any is dated after `now` the clock cannot be trusted, and nothing goes.
 * @param snapshots in any order @param zone of the calendar: a name of the IANA time zone database
 * @returns in the order of `snapshots` @throws RetentionEmpty where the policy keeps nothing, or says no numbers
 */
export function retain(policy: RetentionPolicy, snapshots: readonly Retained[], now: Date, zone: string): readonly Verdict[] {
  requireSomething(policy);
  const placeOf = calendarOf(zone);
  const dated = snapshots.map((snapshot) => {
    const at = Date.parse(snapshot.createdAt);
    return { ...snapshot, at, place: placeOf(at) };
  });
  const present = dated.filter(({ deleted }) => deleted === undefined);
  const future = present.filter(({ at }) => at > now.getTime());
  const counting = present.filter((snapshot) => isGood(snapshot) && !future.includes(snapshot));
  return dated.map((snapshot) => {
    const { id, deleted } = snapshot;
    if (deleted !== undefined) return { id, keep: false, reasons: ['deleted'] };
    if (future.includes(snapshot)) return { id, keep: true, reasons: ['future'] };
    const reasons = [...saidOf(snapshot), ...ruleReasons(policy, snapshot, counting)];
    if (reasons.length === 0 && future.length > 0) reasons.push('clock');
    const keep = reasons.length > 0;
    return { id, keep, reasons: [...(keep ? reasons : ['superseded']), ...(isGood(snapshot) ? [] : ['unverified'])] };
  });
}

/** What people and restores want of it. */
function saidOf({ undeleted, pinned }: Retained): readonly string[] {
  return [...(undeleted === undefined ? [] : ['undeleted']), ...(pinned === undefined ? [] : ['pinned'])];
}

/** The one that a restore would take: the newest verified one, of those that are not dated after `now`. */
export function newestVerified<Snapshot extends Retained>(snapshots: Iterable<Snapshot>, now: Date): Snapshot | undefined {
  const counting = [...snapshots].filter((snapshot) => snapshot.deleted === undefined && isGood(snapshot));
  const dated = counting.map((snapshot) => ({ snapshot, id: snapshot.id, at: Date.parse(snapshot.createdAt) }));
  const past = dated.filter(({ at }) => at <= now.getTime());
  return past.reduce<(typeof past)[number] | undefined>((newest, each) => (newest && isNewer(newest, each) ? newest : each), undefined)
    ?.snapshot;
}

/** The rules that keep a snapshot. Asked only what is newer than it, so one that is no more than looked at pushes nothing out. */
function ruleReasons(policy: RetentionPolicy, snapshot: Dated, counting: readonly Dated[]): string[] {
  const newer = counting.filter((other) => isNewer(other, snapshot));
  const reasons: string[] = [];
  if (newer.length === 0) reasons.push('newest');
  if (newer.length < policy.last) reasons.push('last');
  for (const rule of ['daily', 'weekly', 'monthly'] as const) {
    const { number, name } = snapshot.place[rule];
    const isNewestThere = newer.every(({ place }) => place[rule].number !== number);
    const later = new Set(counting.map(({ place }) => place[rule].number).filter((other) => other > number));
    if (isNewestThere && later.size < policy[rule]) reasons.push(`${rule}:${name}`);
  }
  return reasons;
}

/** Of two with one time the ids decide, so that the order is the same every time. */
function isNewer(a: Pick<Dated, 'id' | 'at'>, b: Pick<Dated, 'id' | 'at'>): boolean {
  return a.at === b.at ? a.id > b.id : a.at > b.at;
}

/** Found good, and nothing was missed since. */
export function isGood({ verified, damaged }: Retained): boolean {
  return verified !== undefined && (damaged === undefined || damaged.length === 0);
}

function requireSomething(policy: RetentionPolicy): void {
  const { last, daily, weekly, monthly } = policy;
  const counts = [last, daily, weekly, monthly];
  if (!counts.every((count) => Number.isInteger(count) && count >= 0) || counts.every((count) => count === 0))
    throw new RetentionEmpty(policy);
}
