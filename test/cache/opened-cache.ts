import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { TieredCacheModule } from '../../src/cache/cache.module';
import { RedisLink } from '../../src/cache/redis-link';
import { TieredCache } from '../../src/cache/tiered-cache';
import type { ValueForm } from '../../src/cache/value-form';
import { CacheConfig } from '../../src/config/app-config';
import { Exposition } from '../../src/metrics/exposition';
import { until } from '../process/processes';

/** Values that are text, and say which key they belong to. */
export const TEXT: ValueForm<string> = {
  bytesOf: (text) => text.length,
  encode: (text) => Buffer.from(text),
  decode: (bytes) => {
    const text = Buffer.from(bytes).toString();
    if (!text.startsWith('answer to ')) throw new Error('no such value');
    return text;
  },
};

/** What belongs to a key. */
export const valueOf = (key: string): string => `answer to ${key}`;

/** A key as the other rooms make them. */
export const keyOf = (at: number, executable = 'e'.repeat(64)): string => `aapi:${executable}:${at.toString(16).padStart(64, '0')}`;

@Global()
@Module({})
class SettingsModule {}

/** A cache as the service has it, with hooks and all; whoever opens it closes it. */
export class OpenedCache {
  private constructor(private readonly module: TestingModule) {}

  /** @param commandMs how long Redis may take; where the test is not about time, longer than on any machine with much else to do */
  static async open(settings: Partial<CacheConfig> = {}, commandMs = 2000): Promise<OpenedCache> {
    const config: DynamicModule = {
      module: SettingsModule,
      providers: [{ provide: CacheConfig, useValue: Object.assign(new CacheConfig(), settings) }, Exposition],
      exports: [CacheConfig, Exposition],
    };
    const module = await Test.createTestingModule({ imports: [config, TieredCacheModule.holding(TEXT)] }).compile();
    module.useLogger(false);
    Object.assign(module.get(RedisLink, { strict: false }), { commandMs });
    await module.init();
    return new OpenedCache(module);
  }

  /** One that has found its Redis, and hears others. */
  static async connected(redisUrl: string, settings: Partial<CacheConfig> = {}, commandMs = 2000): Promise<OpenedCache> {
    const opened = await OpenedCache.open({ ...settings, redisUrl }, commandMs);
    await opened.found();
    await until('it hears others', () => opened.cache.figures().redis?.listening);
    return opened;
  }

  get cache(): TieredCache<string> {
    return this.module.get<TieredCache<string>>(TieredCache);
  }

  /** Waits until Redis is there. */
  async found(ms = 8000): Promise<void> {
    await until('Redis is there', () => this.cache.hasSecondTier, ms);
  }

  /** Stores values in both tiers, and waits until Redis has them. */
  async store(keys: readonly string[], ttlMs = 60_000): Promise<void> {
    for (const key of keys) {
      this.cache.put(key, valueOf(key), ttlMs);
      if (keys.indexOf(key) % 100 === 99) await this.settled();
    }
    await this.settled();
  }

  /** Waits until nothing is on its way to Redis. */
  async settled(): Promise<void> {
    await until('all is written', () => (this.cache as unknown as { writes: number }).writes === 0);
  }

  close(): Promise<void> {
    return this.module.close();
  }
}
