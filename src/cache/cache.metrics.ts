import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider, makeGaugeProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge, Histogram } from 'prom-client';
import { alone, by, Exposition, type Series } from '../metrics/exposition';
import type { BreakerState } from './connection-keeper';
import type { BadEntryReason } from './entry-seal';
import type { FailureReason } from './redis-failure';

const SECONDS = 'cache_redis_duration_seconds';
const FAILURES = 'cache_redis_failures_total';
const BAD = 'cache_bad_entries_total';
const BREAKER = 'cache_breaker_state';

const STATES: readonly BreakerState[] = ['closed', 'half-open', 'open'];

/** Where a value may stand. */
export type Tier = 'memory' | 'redis';

/** What Prometheus is told of Redis. */
export const CACHE_METRICS = [
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

/** The figures of the cache. What every prediction counts are plain numbers, for those who want to read them, too. */
@Injectable()
export class CacheMetrics {
  readonly hits = { memory: 0, redis: 0 };
  readonly misses = { memory: 0, redis: 0 };
  evictions = 0;
  redisFailures = 0;
  badEntries = 0;
  private readonly memory = { entries: 0, bytes: 0 };

  constructor(
    exposition: Exposition,
    @InjectMetric(SECONDS) private readonly seconds: Histogram,
    @InjectMetric(FAILURES) private readonly failures: Counter,
    @InjectMetric(BAD) private readonly bad: Counter,
    @InjectMetric(BREAKER) private readonly breaker: Gauge,
  ) {
    const counter = (name: string, help: string, read: () => Iterable<Series<number>>): void => exposition.addCounter({ name, help }, read);
    counter('cache_hits_total', 'Values that were found, by tier.', () => byTier(this.hits));
    counter('cache_misses_total', 'Values that were asked for and not found, by tier.', () => byTier(this.misses));
    counter('cache_memory_evictions_total', 'Values that made room for others in memory.', () => alone(this.evictions));
    const entries = 'Values in memory, those that are too old included until somebody asks for them.';
    exposition.addGauge({ name: 'cache_memory_entries', help: entries }, () => alone(this.memory.entries));
    const bytes = 'Bytes that the values in memory take.';
    exposition.addGauge({ name: 'cache_memory_bytes', help: bytes }, () => alone(this.memory.bytes));
  }

  countHit(tier: Tier): void {
    this.hits[tier]++;
  }

  countMiss(tier: Tier): void {
    this.misses[tier]++;
  }

  showMemory(entries: number, bytes: number): void {
    this.memory.entries = entries;
    this.memory.bytes = bytes;
  }

  countEviction(): void {
    this.evictions++;
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

function byTier(counts: Readonly<Record<Tier, number>>): Iterable<Series<number>> {
  return by('tier', Object.entries(counts).filter(([, count]) => count > 0)); // prettier-ignore
}
