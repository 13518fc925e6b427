const SECONDS = 5;
const LONGEST_SECONDS = 60;

/** How many calls end in a second, over the last five. */
export class DrainRate {
  private readonly counts = new Uint32Array(SECONDS);
  private second = 0;

  /** @param now milliseconds */
  count(now: number): void {
    this.turn(now);
    this.counts[this.second % SECONDS] = (this.counts[this.second % SECONDS] as number) + 1;
  }

  /** How long so many calls take, in whole seconds from 1 to 60. */
  secondsFor(calls: number, now: number): number {
    this.turn(now);
    const ended = this.counts.reduce((sum, count) => sum + count, 0);
    if (ended === 0) return 1;
    return Math.min(LONGEST_SECONDS, Math.max(1, Math.ceil((calls * SECONDS) / ended)));
  }

  private turn(now: number): void {
    const second = Math.floor(now / 1000);
    for (let passed = Math.max(this.second + 1, second - SECONDS + 1); passed <= second; passed++) this.counts[passed % SECONDS] = 0;
    this.second = Math.max(this.second, second);
  }
}
