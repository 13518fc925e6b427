const SECONDS = 5;
const LONGEST_SECONDS = 60;

/** How many calls are answered in a second, over the last five of those in which there was always one. */
export class DrainRate {
  private readonly counts = new Uint32Array(SECONDS);
  private second = 0;
  private begunAt = 0;

  /** There is a call after there was none. @param now milliseconds */
  begin(now: number): void {
    this.counts.fill(0);
    this.begunAt = now;
  }

  /** A call was answered. */
  count(now: number): void {
    this.turn(now);
    this.counts[this.second % SECONDS] = (this.counts[this.second % SECONDS] as number) + 1;
  }

  /** How long so many calls take, in whole seconds from 1 to 60. */
  secondsFor(calls: number, now: number): number {
    this.turn(now);
    // where none was answered yet, at best one is now
    const answered = Math.max(1, this.counts.reduce((sum, count) => sum + count, 0)); // prettier-ignore
    const from = Math.max(this.begunAt / 1000, this.second - SECONDS + 1);
    return Math.min(LONGEST_SECONDS, Math.max(1, Math.ceil((calls * (now / 1000 - from)) / answered)));
  }

  private turn(now: number): void {
    const second = Math.floor(now / 1000);
    for (let passed = Math.max(this.second + 1, second - SECONDS + 1); passed <= second; passed++) this.counts[passed % SECONDS] = 0;
    this.second = Math.max(this.second, second);
  }
}
