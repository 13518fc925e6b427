import { randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CacheConfig } from '../config/app-config';
import { type BreakerState, ConnectionKeeper } from './connection-keeper';
import { redisAddress } from './redis-address';
import type { RedisConnection } from './redis-connection';
import { RedisLink } from './redis-link';

const CHANNEL = 'aapi:clear';
const MESSAGE = /^([0-9a-f-]{36}) ([\x21-\x7e]{0,256})$/;
/** What comes within this time is done at once, however often it comes. */
const GATHER_MS = 50;
const MOST_PREFIXES = 16;

/**
 * Tells other replicas what was cleared, and hears of it from them. A message that is lost does no harm: a key names the executable, so no entry
 * ever becomes wrong.
 */
@Injectable()
export class ClearChannel implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(ClearChannel.name);
  private readonly me = randomUUID();
  private warned = false;
  private readonly keeper: ConnectionKeeper | undefined;
  private readonly prefixes = new Set<string>();
  private listener: (prefix: string) => void = () => undefined;

  constructor(
    { redisUrl }: CacheConfig,
    private readonly link: RedisLink,
  ) {
    if (redisUrl === '') return;
    this.keeper = new ConnectionKeeper(
      redisAddress(redisUrl),
      (connection) => this.subscribe(connection),
      (state, cause) => this.warn(state, cause),
    );
  }

  onApplicationBootstrap(): void {
    this.keeper?.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.keeper?.stop();
  }

  /** Whether other replicas would be heard now. */
  get listening(): boolean {
    return this.keeper?.connection !== undefined;
  }

  /** @param listener is told which keys others have cleared, by their prefix */
  onClear(listener: (prefix: string) => void): void {
    this.listener = listener;
  }

  /** @throws RedisFailure */
  async tell(prefix: string): Promise<void> {
    await this.link.publish(CHANNEL, `${this.me} ${prefix}`);
  }

  private async subscribe({ client }: RedisConnection): Promise<void> {
    await client.subscribe(CHANNEL, (message) => this.hear(message));
  }

  /** Whether Redis is there is the link's to say; who may use it but not listen has to be told, once. */
  private warn(state: BreakerState, cause?: Error): void {
    if (state !== 'open' || this.warned || !/NOPERM/.test(cause?.message ?? '')) return;
    this.warned = true;
    this.logger.warn('other servers are not heard when they clear', { reason: cause?.message });
  }

  private hear(message: string): void {
    const [, sender, prefix] = MESSAGE.exec(message) ?? [];
    if (prefix === undefined || sender === this.me) return;
    if (this.prefixes.size === 0) setTimeout(() => this.pass(), GATHER_MS).unref();
    this.prefixes.add(prefix);
  }

  private pass(): void {
    const prefixes = this.prefixes.size > MOST_PREFIXES ? [''] : [...this.prefixes];
    this.prefixes.clear();
    for (const prefix of prefixes) this.listener(prefix);
  }
}
