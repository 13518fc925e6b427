import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider, makeGaugeProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge, Histogram } from 'prom-client';
import type { BreakerState } from './connection-keeper';
import type { BadEntryReason } from './entry-seal';
import type { FailureReason } from './redis-failure';

const HITS = 'cache_hits_total';
const MISSES = 'cache_misses_total';
const ENTRIES = 'cache_memory_entries';
const BYTES = 'cache_memory_bytes';
const EVICTIONS = 'cache_memory_evictions_total';
const SECONDS = 'cache_redis_duration_seconds';
const FAILURES = 'cache_redis_failures_total';
const BAD = 'cache_bad_entries_total';
const BREAKER = 'cache_breaker_state';

const STATES: readonly BreakerState[] = ['closed', 'half-open', 'open'];

/** Where a value may stand. */
export type Tier = 'memory' | 'redis';

/** What Prometheus is told of the cache. */
export const CACHE_METRICS = [
  makeCounterProvider({ name: HITS, help: 'Values that were found, by tier.', labelNames: ['tier'] }),
  makeCounterProvider({ name: MISSES, help: 'Values that were asked for and not found, by tier.', labelNames: ['tier'] }),
  makeGaugeProvider({ name: ENTRIES, help: 'Values in memory, those that are too old included until somebody asks for them.' }),
  makeGaugeProvider({ name: BYTES, help: 'Bytes that the values in memory take.' }),
  makeCounterProvider({ name: EVICTIONS, help: 'Values that made room for others in memory.' }),
  makeHistogramProvider({
    name: SECONDS,
    help: 'Seconds that Redis took for a command that it answered, by command.',
    labelNames: ['command'],
    buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 1],
  }),
  makeCounterProvider({ name: FAILURES, help: 'Commands that Redis did not answer, or refused, by reason.', labelNames: ['reason'] }),
  makeCounterProvider({ name: BAD, help: 'Entries in Redis that were not believed, by reason.', labelNames: ['reason'] }),
  makeGaugeProvider({ name: BREAKER, help: '1 for the state that the way to Redis is in.', labelNames: ['state'] }),
];

/** The figures of the cache. Counted here too, for those who want to read them. */
@Injectable()
export class CacheMetrics {
  readonly hits = { memory: 0, redis: 0 };
  readonly misses = { memory: 0, redis: 0 };
  evictions = 0;
  redisFailures = 0;
  badEntries = 0;
  private readonly found: Readonly<Record<Tier, Counter.Internal>>;
  private readonly missed: Readonly<Record<Tier, Counter.Internal>>;

  constructor(
    @InjectMetric(HITS) hits: Counter,
    @InjectMetric(MISSES) misses: Counter,
    @InjectMetric(ENTRIES) private readonly entries: Gauge,
    @InjectMetric(BYTES) private readonly bytes: Gauge,
    @InjectMetric(EVICTIONS) private readonly evicted: Counter,
    @InjectMetric(SECONDS) private readonly seconds: Histogram,
    @InjectMetric(FAILURES) private readonly failures: Counter,
    @InjectMetric(BAD) private readonly bad: Counter,
    @InjectMetric(BREAKER) private readonly breaker: Gauge,
  ) {
    this.found = { memory: hits.labels({ tier: 'memory' }), redis: hits.labels({ tier: 'redis' }) };
    this.missed = { memory: misses.labels({ tier: 'memory' }), redis: misses.labels({ tier: 'redis' }) };
  }

  countHit(tier: Tier): void {
    this.hits[tier]++;
    this.found[tier].inc();
  }

  countMiss(tier: Tier): void {
    this.misses[tier]++;
    this.missed[tier].inc();
  }

  showMemory(entries: number, bytes: number): void {
    this.entries.set(entries);
    this.bytes.set(bytes);
  }

  countEviction(): void {
    this.evictions++;
    this.evicted.inc();
  }

  observe(command: string, seconds: number): void {
    this.seconds.observe({ command }, seconds);
  }

  countFailure(reason: FailureReason): void {
    this.redisFailures++;
    this.failures.inc({ reason });
  }

  countBadEntry(reason: BadEntryReason): void {
    this.badEntries++;
    this.bad.inc({ reason });
  }

  showBreaker(current: BreakerState): void {
    for (const state of STATES) this.breaker.set({ state }, state === current ? 1 : 0);
  }
}
