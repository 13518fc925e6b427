const FIRST_SECONDS = 1;
const LONGER = 4;
const MOST_SECONDS = 600;

interface Demotion {
  seconds: number;
  /** `performance.now()` */
  until: number;
}

/**
 * Models that were sent away because a run took too long. Even a good one may have had bad luck (a collection of garbage, the first touch of
 * memory), so it comes back after a second; each further time it stays away four times as long, up to 10 minutes, and as long without one is forgotten.
 */
export class Demotions {
  private readonly models = new Map<string, Demotion>();

  has(sha256: string): boolean {
    const demotion = this.models.get(sha256);
    return demotion !== undefined && performance.now() < demotion.until;
  }

  /** @returns for how many seconds */
  add(sha256: string): number {
    const now = performance.now();
    const last = this.models.get(sha256);
    const again = last !== undefined && now < last.until + MOST_SECONDS * 1000;
    const seconds = again ? Math.min(last.seconds * LONGER, MOST_SECONDS) : FIRST_SECONDS;
    this.models.set(sha256, { seconds, until: now + seconds * 1000 });
    return seconds;
  }
}
