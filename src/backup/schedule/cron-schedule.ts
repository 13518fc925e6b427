import { CronTime } from 'cron';

const HALF_AN_HOUR_MS = 1_800_000;
const LOOKED_AT = 32;

/** When something is due. */
export class CronSchedule {
  private readonly time: CronTime;

  /** @param expression of cron: minute, hour, day of the month, month, day of the week @param zone a name of the IANA time zone database @throws where either is none */
  constructor(
    readonly expression: string,
    readonly zone: string,
  ) {
    this.time = new CronTime(expression, zone);
  }

  /** @returns undefined where the setting says `off` */
  static of({ schedule, timezone }: { readonly schedule: string; readonly timezone: string }): CronSchedule | undefined {
    return schedule === 'off' ? undefined : new CronSchedule(schedule, timezone);
  }

  /** The first time after that. */
  nextAfter(at: Date): Date {
    // in the hour that comes twice the library names the first of two times, also where that is over: then it is asked later
    for (let from = at.getTime(); ; from += HALF_AN_HOUR_MS) {
      const next = this.time.getNextDateFrom(new Date(from), this.zone).toJSDate();
      if (next > at) return next;
    }
  }

  /** The longest pause between two times, as far as the next ones show. */
  intervalMs(from: Date): number {
    let [longest, at] = [0, this.nextAfter(from)];
    for (let count = 0; count < LOOKED_AT; count++) {
      const next = this.nextAfter(at);
      longest = Math.max(longest, next.getTime() - at.getTime());
      at = next;
    }
    return longest;
  }
}
