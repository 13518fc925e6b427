/** How old the last look may be, ms. */
const FRESH_MS = 1;

/**
 * How long this thread computed, whatever else the machine was busy with. A look at its clock costs up to 6 µs, more than a small model: so it is
 * looked at once a millisecond at most, and what is told is the least that it can have been.
 */
export class ThreadClock {
  private lookedAt = Number.NEGATIVE_INFINITY;
  private cpu = process.threadCpuUsage();

  /** @returns `performance.now()`: the beginning of a stretch */
  begin(): number {
    const now = performance.now();
    if (now - this.lookedAt > FRESH_MS) {
      this.cpu = process.threadCpuUsage();
      this.lookedAt = now;
    }
    return now;
  }

  /** Milliseconds of processor time since then, or up to one less. @param begunAt as `begin` gave it, last of all */
  msSince(begunAt: number): number {
    const { user, system } = process.threadCpuUsage(this.cpu);
    return (user + system) / 1000 - Math.max(0, begunAt - this.lookedAt);
  }
}
