import { networkOf } from './address';

const WINDOW_MS = 60_000;
const MAX_FAILURES = 20;
const MAX_ADDRESSES = 10_000;

/** How often each address failed within a minute. Remembers a bounded number of addresses, the newest. */
export class FailedAttempts {
  /** In the order in which the windows began. */
  private readonly windows = new Map<string, { readonly since: number; failures: number }>();

  /** @param now milliseconds, of a clock that does not go back */
  count(address: string, now: number): void {
    const network = networkOf(address);
    const window = this.windows.get(network);
    if (window !== undefined && now - window.since < WINDOW_MS) {
      window.failures++;
      return;
    }
    this.windows.delete(network); // so that it stands at the end again
    this.makeRoom(now);
    this.windows.set(network, { since: now, failures: 1 });
  }

  /** @returns for how many seconds the address is not listened to without a valid key; 0: it is */
  blockedSeconds(address: string, now: number): number {
    const window = this.windows.get(networkOf(address));
    if (window === undefined || window.failures < MAX_FAILURES) return 0;
    return Math.max(0, Math.ceil((window.since + WINDOW_MS - now) / 1000));
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.windows.size;
  }

  private makeRoom(now: number): void {
    for (const [network, { since }] of this.windows) {
      if (this.windows.size < MAX_ADDRESSES && now - since < WINDOW_MS) return;
      this.windows.delete(network);
    }
  }
}
