import { setTimeout as sleep } from 'node:timers/promises';
import { BackOff } from './back-off';
import type { RedisAddress } from './redis-address';
import { RedisConnection } from './redis-connection';

/** `closed`: a connection is there and proved. `half-open`: one is being tried. `open`: there is none, and none is tried yet. */
export type BreakerState = 'open' | 'half-open' | 'closed';

/** After so long a good time the next bad one begins with short pauses again. */
const GOOD_TIME_MS = 10_000;

/** Keeps one proved connection, or tries for one, at most one at a time and with pauses between the attempts. */
export class ConnectionKeeper {
  private current: RedisConnection | undefined;
  private readonly stopped = new AbortController();
  private readonly backOff = new BackOff();
  private work: Promise<void> = Promise.resolve();

  /**
   * @param prove what has to go well before a connection counts as one
   * @param tell is told of every change, with what led to it
   */
  constructor(
    private readonly address: RedisAddress,
    private readonly prove: (connection: RedisConnection) => Promise<void>,
    private readonly tell: (state: BreakerState, cause?: Error) => void,
  ) {}

  /** Proved and usable; undefined: there is none. */
  get connection(): RedisConnection | undefined {
    return this.current?.isUsable === true ? this.current : undefined;
  }

  /** Begins, in the background. */
  start(): void {
    this.work = this.keep();
  }

  /** Ends what there is; when it returns, nothing is left. */
  async stop(): Promise<void> {
    this.stopped.abort();
    this.current?.end(new Error('the server stops'));
    await this.work;
  }

  private async keep(): Promise<void> {
    while (!this.stopped.signal.aborted) {
      this.tell('half-open');
      const cause = await this.keepOne();
      this.current = undefined;
      this.tell('open', cause);
      await sleep(this.backOff.next(), undefined, { signal: this.stopped.signal, ref: false }).catch(() => undefined);
    }
  }

  /** @returns why it ended, or never began */
  private async keepOne(): Promise<Error> {
    try {
      const connection = await this.open();
      const since = performance.now();
      this.current = connection;
      this.tell('closed');
      const cause = await connection.ended;
      if (performance.now() - since > GOOD_TIME_MS) this.backOff.reset();
      return cause;
    } catch (error) {
      return error as Error;
    }
  }

  private async open(): Promise<RedisConnection> {
    const connection = await RedisConnection.open(this.address);
    try {
      await this.prove(connection);
      this.stopped.signal.throwIfAborted();
      return connection;
    } catch (error) {
      connection.end(error as Error);
      throw error;
    }
  }
}
