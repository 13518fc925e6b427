const WINDOW_MS = 1000;

/** What is left of a caller's second. */
export interface Allowance {
  readonly allowed: boolean;
  readonly remaining: number;
  /** Seconds until a new window begins, at least 1. */
  readonly resetSeconds: number;
}

/** Counts requests in fixed windows of a second. What it remembers is forgotten with the window: no more than a second can send. */
export class RequestRate {
  private readonly counts = new Map<string, number>();
  private endsAt = 0;

  constructor(private readonly limit: number) {}

  /** @param caller a key or an address @param now milliseconds, of a clock that does not go back */
  take(caller: string, now: number): Allowance {
    if (now >= this.endsAt) {
      this.counts.clear();
      this.endsAt = now + WINDOW_MS;
    }
    const count = (this.counts.get(caller) ?? 0) + 1;
    this.counts.set(caller, count);
    const resetSeconds = Math.max(1, Math.ceil((this.endsAt - now) / 1000));
    return { allowed: count <= this.limit, remaining: Math.max(0, this.limit - count), resetSeconds };
  }
}
