import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { RedisClientType } from 'redis';
import { CacheConfig } from '../config/app-config';
import { CacheMetrics } from './cache.metrics';
import { type BreakerState, ConnectionKeeper } from './connection-keeper';
import { FailureWindow } from './failure-window';
import { redisAddress } from './redis-address';
import type { RedisConnection } from './redis-connection';
import { RedisFailure, failureOf } from './redis-failure';

/** Nobody waits for an answer while an operator clears the cache. */
const UPKEEP_MS = 1000;
const SCAN_COUNT = 500;

/** A part of the names of keys. */
interface ScanPage {
  /** 0: the last one. */
  readonly cursor: number;
  readonly keys: readonly string[];
}

/**
 * The way to Redis with a breaker in it: a command takes 20 ms at most, and where too many fail the connection is cut and none is asked until
 * another one is proved. What a late reply would have said goes down with its connection. No command but these is ever sent.
 */
@Injectable()
export class RedisLink implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(RedisLink.name);
  private readonly keeper: ConnectionKeeper | undefined;
  private failures = new FailureWindow();
  private known: boolean | undefined;
  /** How long a command may take. */
  readonly commandMs: number = 20;
  /** Whether a Redis is asked, or may be asked later. */
  readonly configured: boolean;
  /** Where there is no Redis: `open`. */
  state: BreakerState = 'open';

  constructor(
    { redisUrl }: CacheConfig,
    private readonly metrics: CacheMetrics,
  ) {
    this.configured = redisUrl !== '';
    if (this.configured) {
      this.keeper = new ConnectionKeeper(
        redisAddress(redisUrl),
        (connection) => this.prove(connection),
        (state, cause) => this.enter(state, cause),
      );
    }
  }

  onApplicationBootstrap(): void {
    this.keeper?.start();
  }

  /** After the drain: nobody asks any more. */
  async onApplicationShutdown(): Promise<void> {
    await this.keeper?.stop();
  }

  /** Whether a command would be sent now. */
  get usable(): boolean {
    return this.keeper?.connection !== undefined;
  }

  /** Whoever reads the text tells by `judgeEntry` what it was worth. @throws RedisFailure */
  get(key: string): Promise<string | null> {
    return this.send('get', (client) => client.get(key), textOrNull, { judgeLater: (text) => text !== null });
  }

  /** @throws RedisFailure */
  set(key: string, text: string, { PX }: { readonly PX: number }): Promise<void> {
    return this.send('set', (client) => client.set(key, text, { PX }), ok);
  }

  /** @returns how many there were @throws RedisFailure */
  unlink(keys: readonly string[]): Promise<number> {
    return this.send('unlink', (client) => client.unlink([...keys]), count, { patienceMs: UPKEEP_MS });
  }

  /** @throws RedisFailure */
  scan(cursor: number, pattern: string): Promise<ScanPage> {
    return this.send('scan', (client) => client.scan(cursor, { MATCH: pattern, COUNT: SCAN_COUNT }), page, { patienceMs: UPKEEP_MS });
  }

  /** @throws RedisFailure */
  async publish(channel: string, message: string): Promise<void> {
    await this.send('publish', (client) => client.publish(channel, message), count, { patienceMs: UPKEEP_MS });
  }

  /** @param good whether what came was what one of us had stored; what was not is as bad as no reply */
  judgeEntry(good: boolean): void {
    this.judge(this.keeper?.connection, good ? undefined : new RedisFailure('reply'));
  }

  private async send<T>(
    command: string,
    ask: (client: RedisClientType) => Promise<unknown>,
    read: (reply: unknown) => T,
    { patienceMs = this.commandMs, judgeLater = () => false }: { patienceMs?: number; judgeLater?: (answer: T) => boolean } = {},
  ): Promise<T> {
    const connection = this.keeper?.connection;
    if (connection === undefined) throw new RedisFailure('away');
    const sentAt = performance.now();
    try {
      const answer = read(await within(patienceMs, ask(connection.client)));
      this.metrics.observe(command, (performance.now() - sentAt) / 1000);
      if (!judgeLater(answer)) this.judge(connection);
      return answer;
    } catch (error) {
      const failure = failureOf(error);
      this.metrics.countFailure(failure.reason);
      this.judge(connection, failure);
      throw failure;
    }
  }

  private judge(connection: RedisConnection | undefined, failure?: RedisFailure): void {
    if (connection === undefined || connection !== this.keeper?.connection) return; // of one that is cut already
    if (failure !== undefined && !failure.countsAgainstRedis) return;
    const enough = this.failures.count(failure !== undefined, performance.now());
    if (failure !== undefined && (enough || failure.wrongServer)) connection.end(failure);
  }

  /** @throws RedisFailure */
  private async prove({ client }: RedisConnection): Promise<void> {
    if ((await within(this.commandMs, client.ping())) !== 'PONG') throw new RedisFailure('reply');
    this.failures = new FailureWindow();
  }

  private enter(state: BreakerState, cause?: Error): void {
    this.state = state;
    this.metrics.showBreaker(state);
    const there = state === 'closed';
    if (state === 'half-open' || this.known === there) return;
    this.known = there;
    if (there) this.logger.log('redis is there');
    else this.logger.warn('redis is away, answers are remembered in memory only', { reason: cause?.message });
  }
}

/**
 * Counted from when the command is really sent, at the end of this turn, and by a clock that goes on while this process is busy.
 * @throws RedisFailure where it takes longer; whatever comes of it then is dropped
 */
function within<T>(ms: number, reply: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const wait = (until: number): void => {
      const left = until - performance.now();
      if (left > 0) timer = setTimeout(wait, left, until);
      // the reply may lie in the socket already: it is read before the next immediate
      else setImmediate(() => reject(new RedisFailure('timeout', `no reply within ${ms} ms`)));
    };
    const start = setImmediate(() => wait(performance.now() + ms));
    const end = <R>(tell: (what: R) => void) => {
      return (what: R) => {
        clearImmediate(start);
        clearTimeout(timer);
        tell(what);
      };
    };
    reply.then(end(resolve), end(reject));
  });
}

function textOrNull(reply: unknown): string | null {
  if (reply !== null && typeof reply !== 'string') throw new RedisFailure('reply');
  return reply;
}

function ok(reply: unknown): void {
  if (reply !== 'OK') throw new RedisFailure('reply');
}

function count(reply: unknown): number {
  if (typeof reply !== 'number') throw new RedisFailure('reply');
  return reply;
}

function page(reply: unknown): ScanPage {
  const { cursor, keys } = reply as { cursor?: unknown; keys?: unknown };
  if (!Number.isSafeInteger(cursor) || !Array.isArray(keys) || !keys.every((key) => typeof key === 'string'))
    throw new RedisFailure('reply');
  return { cursor: cursor as number, keys };
}
