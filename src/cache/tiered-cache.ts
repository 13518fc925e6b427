import { CACHE_MANAGER } from '@nestjs/cache-manager';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Cache } from 'cache-manager';
import { CacheMetrics, type Tier } from './cache.metrics';
import { ClearChannel } from './clear-channel';
import type { BreakerState } from './connection-keeper';
import { MemoryTier } from './memory-tier';
import { RedisLink } from './redis-link';
import { sweep } from './redis-sweep';
import type { Stored } from './redis-tier';

/** What every key begins with: nothing else in a Redis is ours. */
export const KEY_PREFIX = 'aapi:';

/** The part of a life that chance takes, so that what was stored together does not die together. */
const JITTER = 0.1;
/** Values that are on their way to Redis, and their bytes; more are remembered in memory only. */
const MOST_WRITES = 256;
const MOST_WRITE_BYTES = 2 ** 23;

/** A value that was remembered. */
export interface Cached<V> {
  readonly value: V;
  /** Milliseconds since it was stored, by whichever server. */
  readonly ageMs: number;
  readonly tier: Tier;
}

/** What an operator wants to know of the cache; counted since the start of this process. */
export interface CacheFigures {
  readonly memory: {
    readonly entries: number;
    readonly maxEntries: number;
    readonly bytes: number;
    readonly maxBytes: number;
    readonly hits: number;
    readonly misses: number;
    readonly evictions: number;
  };
  /** Absent where no Redis is configured. */
  readonly redis?: {
    readonly breaker: BreakerState;
    /** Whether other replicas are heard when they clear. */
    readonly listening: boolean;
    readonly hits: number;
    readonly misses: number;
    readonly failures: number;
    readonly badEntries: number;
  };
}

/** Values that may be forgotten at any time: in memory, and behind it in a Redis that replicas share. None of it ever fails: what does is a miss. */
@Injectable()
export class TieredCache<V> {
  private readonly logger = new Logger(TieredCache.name);
  /** How often it was cleared: what was asked for before must not come back after. */
  private clears = 0;
  private writes = 0;
  private writeBytes = 0;

  constructor(
    @Inject(CACHE_MANAGER) private readonly manager: Cache,
    private readonly memory: MemoryTier<V>,
    private readonly link: RedisLink,
    private readonly channel: ClearChannel,
    private readonly metrics: CacheMetrics,
  ) {
    channel.onClear((prefix) => this.clearMemory(prefix));
  }

  /** Looks into memory only. */
  peek(key: string): Cached<V> | undefined {
    const found = this.recall(key);
    if (found === undefined) this.metrics.countMiss('memory');
    return found;
  }

  /** As `peek`, for who will peek where nothing is found: only that counts as a miss. */
  recall(key: string): Cached<V> | undefined {
    const now = performance.now();
    const entry = this.memory.find(key, now);
    if (entry === undefined) return undefined;
    this.metrics.countHit('memory');
    return { value: entry.value, ageMs: now - entry.storedAt, tier: 'memory' };
  }

  /** Whether `get` would ask anybody: not while there is no Redis, or the breaker is open. */
  get hasSecondTier(): boolean {
    return this.link.usable;
  }

  /** Asks Redis, for who has peeked already. What is found is in memory then, for what is left of its life. */
  async get(key: string): Promise<Cached<V> | undefined> {
    if (!this.hasSecondTier) return undefined;
    const clears = this.clears;
    const stored = await this.ask(key);
    this.metrics[stored === undefined ? 'countMiss' : 'countHit']('redis');
    if (stored === undefined) return undefined;
    const now = Date.now();
    const lifeMs = stored.expires - stored.storedAt;
    // whoever stored it may have another clock: never older than its life, nor alive longer
    const ageMs = Math.min(Math.max(0, now - stored.storedAt), lifeMs);
    if (clears === this.clears) this.memory.remember(key, stored.value, Math.min(stored.expires - now, lifeMs), ageMs);
    return { value: stored.value, ageMs, tier: 'redis' };
  }

  /**
   * Remembers a value, in memory at once and in Redis in the background.
   * @param ttlMs how long at most; 0: not at all
   */
  put(key: string, value: V, ttlMs: number): void {
    if (ttlMs <= 0) return;
    const lifeMs = Math.max(1, Math.floor(ttlMs * (1 - JITTER * Math.random())));
    this.memory.remember(key, value, lifeMs);
    if (this.hasSecondTier) void this.write(key, value, lifeMs);
  }

  /**
   * Forgets, here, in Redis and in other replicas' memory.
   * @param prefix what the keys begin with; absent: all of them
   * @returns how many keys were forgotten here and in Redis, those that stood in both once
   */
  async clear(prefix: string = KEY_PREFIX): Promise<number> {
    const keys = this.clearMemory(prefix);
    if (!this.link.configured) return keys.size;
    try {
      const removed = keys.size + (await sweep(this.link, prefix, keys));
      await this.channel.tell(prefix);
      return removed;
    } catch (error) {
      this.logger.warn('cache cleared in memory only', { reason: (error as Error).message });
      return keys.size;
    }
  }

  /** How it is doing. */
  figures(): CacheFigures {
    const { hits, misses, evictions, redisFailures, badEntries } = this.metrics;
    const { size, maxEntries, bytes, maxBytes } = this.memory;
    const memory = { entries: size, maxEntries, bytes, maxBytes, hits: hits.memory, misses: misses.memory, evictions };
    if (!this.link.configured) return { memory };
    const { state: breaker } = this.link;
    const { listening } = this.channel;
    return { memory, redis: { breaker, listening, hits: hits.redis, misses: misses.redis, failures: redisFailures, badEntries } };
  }

  private clearMemory(prefix: string): ReadonlySet<string> {
    this.clears++;
    return this.memory.forget(prefix);
  }

  private async ask(key: string): Promise<Stored<V> | undefined> {
    try {
      return (await this.manager.stores[1]?.get(key, { raw: true })) as Stored<V> | undefined;
    } catch {
      return undefined; // counted where it failed
    }
  }

  private async write(key: string, value: V, lifeMs: number): Promise<void> {
    const bytes = this.memory.bytesOf(value);
    if (this.writes >= MOST_WRITES || this.writeBytes + bytes > MOST_WRITE_BYTES) {
      this.metrics.countFailure('crowded');
      return;
    }
    this.writes++;
    this.writeBytes += bytes;
    try {
      await this.manager.stores[1]?.set(key, value, lifeMs);
    } catch {
      // counted where it failed
    } finally {
      this.writes--;
      this.writeBytes -= bytes;
    }
  }
}
