/** A day, week or month of a calendar: later ones have greater numbers, neighbours differ by one. */
export interface Bucket {
  readonly number: number;
  /** As people write it: `2026-11-22`, `2026-W47` (ISO 8601), `2026-11`. */
  readonly name: string;
}

/** What an instant belongs to. */
export interface Place {
  readonly daily: Bucket;
  readonly weekly: Bucket;
  readonly monthly: Bucket;
}

const DAY_MS = 86_400_000;
/** 1970-01-01, day 0, was a Thursday: its week began three days before. */
const MONDAY_BEFORE_DAY_0 = 3;

/** @param zone a name of the IANA time zone database @returns tells what an instant, milliseconds since 1970, belongs to there @throws RangeError where there is no such zone */
export function calendarOf(zone: string): (at: number) => Place {
  const options = { year: 'numeric', month: 'numeric', day: 'numeric' } as const;
  const format = new Intl.DateTimeFormat('en-u-ca-gregory-nu-latn', { timeZone: zone, ...options });
  return (at) => {
    const { year = 0, month = 0, day = 0 } = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    return placeOf(year, month, day);
  };
}

function placeOf(year: number, month: number, day: number): Place {
  const number = Date.UTC(year, month - 1, day) / DAY_MS;
  const week = Math.floor((number + MONDAY_BEFORE_DAY_0) / 7);
  return {
    daily: { number, name: nameOf(number) },
    weekly: { number: week, name: weekName(week) },
    monthly: { number: year * 12 + month, name: nameOf(number).slice(0, -3) },
  };
}

/** A week is of the year that its Thursday is of, and that year's first Thursday is in its week 1. */
function weekName(week: number): string {
  const thursday = week * 7;
  const year = nameOf(thursday).slice(0, -6);
  const newYear = Date.parse(`${year}-01-01`) / DAY_MS;
  return `${year}-W${String(Math.floor((thursday - newYear) / 7) + 1).padStart(2, '0')}`;
}

function nameOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, -'T00:00:00.000Z'.length);
}
