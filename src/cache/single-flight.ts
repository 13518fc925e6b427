const CHECK_MS = 10;
/** Where two in a row fail, the fault is in the work and not in who does it. */
const MOST_FAILURES = 2;

/** Somebody who wants an answer, as long as it cares. */
export interface Asker {
  /** `performance.now()` after which it does not wait any more. */
  readonly expiresAt?: number;
  /** Calls back once, if it goes away. */
  readonly onGone?: (listener: () => void) => void;
}

/** An answer, and whether it was made for somebody else. */
export interface Flown<V> {
  readonly value: V;
  readonly shared: boolean;
}

/** What becomes of those who wait. */
export interface FlightRules {
  /** What who waited too long is told. */
  readonly expired: () => Error;
  /** What the promise of somebody who went away ends with. */
  readonly gone: () => Error;
  /** Whether work failed for a reason of its asker's own (its deadline, its going away, its share of the room), so that another's may go well. */
  readonly isOwn: (error: unknown) => boolean;
}

interface Waiting<V> {
  over: boolean;
  readonly expiresAt: number;
  readonly work: () => Promise<V>;
  readonly resolve: (flown: Flown<V>) => void;
  readonly reject: (error: unknown) => void;
}

/** One piece of work, and all who want what comes of it. */
interface Flight<V> {
  /** In the order in which they came; those who are over are passed over. */
  waiting: Waiting<V>[] | undefined;
  failures: number;
}

/**
 * Work that many ask for at the same time is done once. Where it fails, one of those who wait does it with its own work and the others go on
 * waiting; where that fails too, for no reason of the asker's own, all are told. Everybody keeps the time and the way to leave that it came with.
 */
export class SingleFlight<V> {
  private readonly flights = new Map<string, Flight<V>>();
  /** Flights that somebody waits for. */
  private readonly watched = new Set<Flight<V>>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly rules: FlightRules) {}

  /** How many pieces of work are being done. */
  get size(): number {
    return this.flights.size;
  }

  /** How many wait for the work of others. */
  get waiting(): number {
    return [...this.watched].reduce((sum, { waiting = [] }) => sum + waiting.filter(({ over }) => !over).length, 0);
  }

  /**
   * @param work ends soon after its asker's time is over or its asker has gone: it is who knows
   * @throws what the work throws, and what the rules say
   */
  run(key: string, work: () => Promise<V>, asker: Asker = {}): Promise<Flown<V>> {
    const flight = this.flights.get(key);
    if (flight !== undefined) return this.wait(flight, work, asker);
    const started: Flight<V> = { waiting: undefined, failures: 0 };
    this.flights.set(key, started);
    return this.lead(key, started, work);
  }

  private async lead(key: string, flight: Flight<V>, work: () => Promise<V>): Promise<Flown<V>> {
    try {
      const value = await work();
      for (const waiting of this.land(key, flight)) settle(waiting, () => waiting.resolve({ value, shared: true }));
      return { value, shared: false };
    } catch (error) {
      this.handOver(key, flight, error);
      throw error;
    }
  }

  private handOver(key: string, flight: Flight<V>, error: unknown): void {
    if (!this.rules.isOwn(error)) flight.failures++;
    const next = flight.failures < MOST_FAILURES ? this.nextOf(flight) : undefined;
    if (next !== undefined) {
      next.over = true; // it waits for nobody any more
      this.lead(key, flight, next.work).then(next.resolve, next.reject);
      return;
    }
    for (const waiting of this.land(key, flight)) settle(waiting, () => waiting.reject(error));
  }

  private nextOf(flight: Flight<V>): Waiting<V> | undefined {
    this.dismissLate(flight, performance.now());
    return flight.waiting?.shift();
  }

  /** The work is over: who comes now begins anew. @returns who waited for it */
  private land(key: string, flight: Flight<V>): readonly Waiting<V>[] {
    this.flights.delete(key);
    if (flight.waiting === undefined) return [];
    this.watched.delete(flight);
    if (this.watched.size === 0) this.rest();
    return flight.waiting;
  }

  private wait(flight: Flight<V>, work: () => Promise<V>, { expiresAt = Number.POSITIVE_INFINITY, onGone }: Asker): Promise<Flown<V>> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting<V> = { over: false, expiresAt, work, resolve, reject };
      (flight.waiting ??= []).push(waiting);
      onGone?.(() => settle(waiting, () => reject(this.rules.gone())));
      this.watched.add(flight);
      this.timer ??= setInterval(() => this.look(), CHECK_MS).unref();
    });
  }

  private look(): void {
    const now = performance.now();
    for (const flight of this.watched) this.dismissLate(flight, now);
  }

  /** Tells those whose time is over, and keeps nobody who has left. */
  private dismissLate(flight: Flight<V>, now: number): void {
    for (const waiting of flight.waiting ?? []) {
      if (now > waiting.expiresAt) settle(waiting, () => waiting.reject(this.rules.expired()));
    }
    flight.waiting = flight.waiting?.filter(({ over }) => !over);
  }

  private rest(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }
}

/** Tells the first word only. */
function settle<V>(waiting: Waiting<V>, tell: () => void): void {
  if (waiting.over) return;
  waiting.over = true;
  tell();
}
