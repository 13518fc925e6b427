import { getToken, makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge } from 'prom-client';
import type { DrillFigures, DrillRunOutcome } from './drill-figures';

/** Derived from the log of `backups/`: they are the same after a restart. */
export const DRILL_GAUGES = {
  duration: ['restore_drill_duration_seconds', 'Seconds that the last drill took, good or not.'],
  lastSuccess: ['restore_drill_last_success_timestamp_seconds', 'When a drill was good last; 0: never.'],
  status: ['restore_drill_last_status', '1 where the last drill was good, 0 where it failed; 1 before the first.'],
  sinceSuccess: ['restore_drill_since_success_seconds', 'Seconds since a drill was good, or since there has been something to drill.'],
  interval: ['restore_drill_expected_interval_seconds', 'Seconds between two drills of the schedule, at most; 0: it is off.'],
  rto: ['restore_rto_seconds', 'Seconds until the newest snapshot would serve: restored, verified, loaded; measured by a drill. 0: never.'],
  rtoTarget: ['restore_rto_target_seconds', 'How long that may take; 0: nobody has said.'],
} as const;

/** Since the start. */
export const DRILL_COUNTERS = {
  runs: ['restore_drill_runs_total', 'Drills since the start, by outcome: completed, failed, skipped.', ['outcome']],
  failures: [
    'restore_drill_failures_total',
    'Snapshots whose drill failed, and drills that were skipped, since the start, by how far they came and why.',
    ['phase', 'reason'],
  ],
} as const;

type GaugeKey = keyof typeof DRILL_GAUGES;
type CounterKey = keyof typeof DRILL_COUNTERS;
const GAUGE_KEYS = Object.keys(DRILL_GAUGES) as GaugeKey[];
const COUNTER_KEYS = Object.keys(DRILL_COUNTERS) as CounterKey[];

/** The figures of drills, for Prometheus. */
export class DrillMetrics {
  constructor(
    private readonly gauges: Readonly<Record<GaugeKey, Gauge>>,
    private readonly counters: Readonly<Record<CounterKey, Counter>>,
  ) {}

  show({ lastRun, lastSuccess, sinceSuccessSeconds, expectedIntervalSeconds, rtoSeconds, rtoTargetSeconds }: DrillFigures): void {
    const values: Readonly<Record<GaugeKey, number>> = {
      duration: (lastRun?.ms ?? 0) / 1000,
      lastSuccess: lastSuccess === null ? 0 : Date.parse(lastSuccess.at) / 1000,
      status: lastRun?.ok === false ? 0 : 1,
      sinceSuccess: sinceSuccessSeconds,
      interval: expectedIntervalSeconds ?? 0,
      rto: rtoSeconds ?? 0,
      rtoTarget: rtoTargetSeconds ?? 0,
    };
    for (const key of GAUGE_KEYS) this.gauges[key].set(values[key]);
  }

  count({ outcome, failures }: DrillRunOutcome): void {
    this.counters.runs.inc({ outcome });
    for (const { phase, reason } of failures) this.counters.failures.inc({ phase, reason });
  }
}

const NAMES = [...Object.values(DRILL_GAUGES), ...Object.values(DRILL_COUNTERS)].map(([name]) => name);

/** What Prometheus is told of drills. */
export const DRILL_METRICS = [
  ...Object.values(DRILL_GAUGES).map(([name, help]) => makeGaugeProvider({ name, help })),
  ...Object.values(DRILL_COUNTERS).map(([name, help, labelNames]) => makeCounterProvider({ name, help, labelNames })),
  {
    provide: DrillMetrics,
    useFactory: (...metrics: readonly unknown[]) =>
      new DrillMetrics(named(GAUGE_KEYS, metrics), named(COUNTER_KEYS, metrics.slice(GAUGE_KEYS.length))),
    inject: NAMES.map((name) => getToken(name)),
  },
];

function named<Key extends string, Metric>(keys: readonly Key[], metrics: readonly unknown[]): Readonly<Record<Key, Metric>> {
  return Object.fromEntries(keys.map((key, at) => [key, metrics[at]])) as Record<Key, Metric>;
}
