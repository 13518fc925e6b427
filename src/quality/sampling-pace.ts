const PER_SECOND = 100;

/** Of few calls takes all, of many a share by chance, so that about 100 a second are taken. */
export class SamplingPace {
  private left = 0;
  private skipped = 0;
  private taken = 0;
  private gap = 0;
  private since: number;

  /** @param random 0 to 1, evenly */
  constructor(
    private readonly clock: () => number = () => performance.now(),
    private readonly random: () => number = Math.random,
  ) {
    this.since = clock();
  }

  /** Whether this call is taken. */
  due(): boolean {
    if (this.left > 0) {
      this.left--;
      return false;
    }
    this.taken++;
    const seconds = (this.clock() - this.since) / 1000;
    if (seconds >= 1) this.adapt(seconds);
    this.left = Math.round(2 * this.gap * this.random());
    this.skipped += this.left;
    return true;
  }

  /** As many calls between two that are taken as came lately. */
  private adapt(seconds: number): void {
    this.gap = Math.max(0, (this.taken + this.skipped) / seconds / PER_SECOND - 1);
    [this.taken, this.skipped] = [0, 0];
    this.since += seconds * 1000;
  }
}
