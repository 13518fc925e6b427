import { DrainRate } from './drain-rate';

/** How much may wait or run at the same time. */
export interface CallLimits {
  readonly calls: number;
  readonly bytes: number;
}

/** Counts what waits and runs: of one model, or of all. */
export class CallBook {
  private readonly byCaller = new Map<string, number>();
  private readonly rate = new DrainRate();
  calls = 0;
  bytes = 0;

  constructor(readonly limits: CallLimits) {}

  /** Why there is no room for one more call, whatever it brings. */
  get full(): string | undefined {
    return this.calls >= this.limits.calls ? `${this.limits.calls} calls at a time` : undefined;
  }

  /** Why there is no room for a call of so many bytes. Where there is no other it has room, whatever its size. */
  tooHeavy(bytes: number): string | undefined {
    return this.calls > 0 && this.bytes + bytes > this.limits.bytes ? `${this.limits.bytes} bytes of inputs at a time` : undefined;
  }

  /** Who has the most calls here, and more than another one would have with one more. */
  greedierThan(caller: string): string | undefined {
    const own = (this.byCaller.get(caller) ?? 0) + 1;
    const [greediest] = [...this.byCaller].toSorted(([, a], [, b]) => b - a);
    return greediest !== undefined && greediest[1] > own ? greediest[0] : undefined;
  }

  /** Seconds until what is here is answered, as fast as it goes now. */
  secondsToDrain(now: number): number {
    return this.rate.secondsFor(this.calls, now);
  }

  enter(caller: string, bytes: number, now: number): void {
    if (this.calls === 0) this.rate.begin(now);
    this.count(caller, bytes, 1);
  }

  /** @param answered whether an engine did it: only that tells how fast it goes */
  leave(caller: string, bytes: number, now: number, answered: boolean): void {
    this.count(caller, -bytes, -1);
    if (answered) this.rate.count(now);
  }

  private count(caller: string, bytes: number, change: 1 | -1): void {
    const calls = (this.byCaller.get(caller) ?? 0) + change;
    if (calls === 0) this.byCaller.delete(caller);
    else this.byCaller.set(caller, calls);
    this.calls += change;
    this.bytes += bytes;
  }
}
