import { CronTime } from 'cron';

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const HALF_AN_HOUR_MS = 1_800_000;
const YEAR_MS = 366 * 86_400_000;
const LOOKED_AT = 32;

/** When something is due. */
export class CronSchedule {
  private readonly time: CronTime;
  /** The same for what a clock shows, as if that were UTC. */
  private readonly shown: CronTime;
  private asked: { readonly at: number; readonly next: number } | undefined;
  private interval: number | undefined;

  /** @param expression of cron: minute, hour, day of the month, month, day of the week @param zone a name of the IANA time zone database @throws where either is none */
  constructor(
    readonly expression: string,
    readonly zone: string,
  ) {
    this.time = new CronTime(expression, zone);
    this.shown = new CronTime(expression, 'UTC');
  }

  /** @returns undefined where the setting says `off` */
  static of({ schedule, timezone }: { readonly schedule: string; readonly timezone: string }): CronSchedule | undefined {
    return schedule === 'off' ? undefined : new CronSchedule(schedule, timezone);
  }

  /** The first time after that. */
  nextAfter(at: Date): Date {
    if (this.asked?.at !== at.getTime()) this.asked = { at: at.getTime(), next: this.find(at.getTime()) };
    return new Date(this.asked.next);
  }

  /** Around the hour that comes twice the library may name a time that is over, or one that comes an hour too early: it is asked later then. */
  private find(at: number): number {
    for (let from = at; ; from += HALF_AN_HOUR_MS) {
      const next = this.time.getNextDateFrom(new Date(from), this.zone);
      if (next.toMillis() > at && !this.isEarly(next)) return next.toMillis();
    }
  }

  /** Whether the clocks there were set back lately, and do not show what the expression says. */
  private isEarly(next: ReturnType<CronTime['getNextDateFrom']>): boolean {
    if (next.offset >= next.minus({ hours: 2 }).offset) return false;
    const shown = next.toMillis() + next.offset * MINUTE_MS;
    return this.shown.getNextDateFrom(new Date(shown - SECOND_MS), 'UTC').toMillis() !== shown;
  }

  /** The longest pause between two times, as far as those of the next year show. */
  get intervalMs(): number {
    this.interval ??= this.longestPause(Date.now());
    return this.interval;
  }

  private longestPause(from: number): number {
    let [longest, at, count] = [0, this.nextAfter(new Date(from)), 0];
    // the library looks eight years ahead, and no further
    do {
      const next = this.nextAfter(at);
      longest = Math.max(longest, next.getTime() - at.getTime());
      at = next;
    } while (++count < LOOKED_AT && at.getTime() < from + YEAR_MS);
    return longest;
  }
}
