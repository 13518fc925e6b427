import { CacheModule, type CacheModuleOptions } from '@nestjs/cache-manager';
import { type DynamicModule, Module } from '@nestjs/common';
import { Keyv, type KeyvOptions } from 'keyv';
import { CACHE_METRICS, CacheMetrics } from './cache.metrics';
import { ClearChannel } from './clear-channel';
import { MemoryTier } from './memory-tier';
import { RedisLink } from './redis-link';
import { RedisTier } from './redis-tier';
import { TieredCache } from './tiered-cache';
import { ValueForm } from './value-form';

/** What is below the cache manager. */
@Module({})
class CacheTiersModule {}

/** A cache for values of one form. */
@Module({})
export class TieredCacheModule {
  static holding<V>(form: ValueForm<V>): DynamicModule {
    const tiers: DynamicModule = {
      module: CacheTiersModule,
      providers: [...CACHE_METRICS, CacheMetrics, { provide: ValueForm, useValue: form }, MemoryTier, RedisLink, RedisTier, ClearChannel],
      exports: [CacheMetrics, MemoryTier, RedisLink, RedisTier, ClearChannel],
    };
    const manager = CacheModule.registerAsync({ imports: [tiers], inject: [MemoryTier, RedisTier, RedisLink], useFactory: managerOver });
    return { module: TieredCacheModule, imports: [tiers, manager], providers: [TieredCache], exports: [TieredCache] };
  }
}

/** Memory first, then Redis where there is one. Both take values as they are: what Redis is given is sealed below. */
function managerOver(memory: MemoryTier<unknown>, redis: RedisTier<unknown>, { configured }: RedisLink): CacheModuleOptions {
  const keyv = (store: object): Keyv =>
    // a default is kept where the name is not given at all
    new Keyv({
      store,
      serialize: undefined,
      deserialize: undefined,
      useKeyPrefix: false,
      throwOnErrors: true,
      emitErrors: false,
    } as object as KeyvOptions);
  return { stores: configured ? [keyv(memory), keyv(redis)] : [keyv(memory)] };
}
