import { Injectable } from '@nestjs/common';
import { type CacheManagerStore, KeyvAdapter } from 'cache-manager';
import { redisInsStore } from 'cache-manager-redis-yet';
import type { RedisClientType } from 'redis';
import { CacheConfig } from '../config/app-config';
import { CacheMetrics } from './cache.metrics';
import { BadEntry, type Entry, EntrySeal } from './entry-seal';
import { RedisFailure } from './redis-failure';
import { RedisLink } from './redis-link';
import { ValueForm } from './value-form';

/** A value from Redis. */
export interface Stored<V> {
  readonly value: V;
  /** `Date.now()` of whoever stored it. */
  readonly storedAt: number;
  readonly expires: number;
}

/**
 * The tier that replicas share: a store of Keyv whose entries are sealed. Nothing that comes from Redis is believed before its seal is. The store
 * below has `get`, `set` and `del` only: what else it can do would ask for keys without their prefix, or flush the database.
 */
@Injectable()
export class RedisTier<V> extends KeyvAdapter {
  private readonly seal: EntrySeal;

  constructor(
    { secret }: CacheConfig,
    private readonly link: RedisLink,
    private readonly form: ValueForm<V>,
    private readonly metrics: CacheMetrics,
  ) {
    super(storeOver(link));
    this.seal = new EntrySeal(secret);
  }

  /** @throws RedisFailure */
  override async get<T>(key: string): Promise<T | undefined> {
    const sealed = await super.get<unknown>(key).catch((error: unknown) => {
      if (error instanceof RedisFailure) throw error;
      return null; // no JSON, or none that can be read: not ours
    });
    return sealed === undefined ? undefined : (this.open(key, sealed) as T | undefined);
  }

  /** @throws RedisFailure */
  override async set(key: string, { value, expires }: { readonly value: V; readonly expires: number }, ttlMs: number): Promise<boolean> {
    const sealed = this.seal.seal(key, { value: this.form.encode(value), storedAt: expires - ttlMs, expires });
    if (sealed !== undefined) await super.set(key, sealed, ttlMs);
    return sealed !== undefined;
  }

  private open(key: string, sealed: unknown): Stored<V> | undefined {
    try {
      const { value, storedAt, expires } = this.seal.open(key, sealed);
      const stored = { value: this.decode(value), storedAt, expires };
      this.link.judgeEntry(true);
      return expires > Date.now() ? stored : undefined; // one whose clock is behind wrote it: Redis itself forgets it in time
    } catch (error) {
      if (!(error instanceof BadEntry)) throw error;
      this.metrics.countBadEntry(error.reason);
      this.link.judgeEntry(error.reason === 'version');
      return undefined;
    }
  }

  /** @throws BadEntry */
  private decode(bytes: Entry['value']): V {
    try {
      return this.form.decode(bytes);
    } catch {
      throw new BadEntry('value');
    }
  }
}

function storeOver(link: RedisLink): CacheManagerStore {
  const client = {
    get: (key: string) => link.get(key),
    set: (key: string, text: string, options: { readonly PX: number }) => link.set(key, text, options),
    del: (key: string) => link.unlink([key]),
  };
  // made for a client of redis 4 and cache-manager 5; of the one it uses these three, of the other nothing
  return redisInsStore(client as unknown as RedisClientType);
}
