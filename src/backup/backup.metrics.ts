import { getToken, makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge } from 'prom-client';
import type { Volume } from '../storage/free-space';
import type { BackupFigures, RunOutcome } from './backup-figures';
import type { PruneReport } from './retention/pruner';

/** Derived from `backups/` itself: they are the same after a restart. */
export const GAUGES = {
  lastSuccess: ['backup_last_success_timestamp_seconds', 'When the newest snapshot was taken; 0: there is none.'],
  lastVerified: ['backup_last_verified_timestamp_seconds', 'When the newest verified snapshot was found good; 0: there is none.'],
  rpo: ['backup_rpo_seconds', 'How much would be lost now: seconds since the newest verified cut, or since the registry began.'],
  rpoTarget: ['backup_rpo_target_seconds', 'How much may be lost at most; 0: nobody has said, and there is no schedule.'],
  interval: ['backup_expected_interval_seconds', 'Seconds between two runs of the schedule, at most; 0: it is off.'],
  duration: ['backup_last_duration_seconds', 'Seconds that the newest snapshot took.'],
  bytes: ['backup_last_bytes', 'Bytes that the newest snapshot holds.'],
  newBytes: ['backup_last_new_bytes', 'Bytes that were written for the newest snapshot.'],
  objects: ['backup_last_objects', 'Objects that the newest snapshot holds.'],
  snapshots: ['backup_snapshots', 'Snapshots that are there.'],
  damaged: ['backup_damaged_snapshots', 'Snapshots of which something is missing or not what it was, as far as anybody has looked.'],
  unsigned: ['backup_unsigned_snapshots', 'Snapshots of which nobody can say whether they were changed.'],
  future: ['backup_future_snapshots', 'Snapshots dated after now: while there are any, none is deleted.'],
  oldestUnverified: ['backup_oldest_unverified_seconds', 'Age of the oldest snapshot that is not verified; 0: there is none.'],
  coverage: ['backup_verify_coverage_ratio', 'Share of the stored objects that was read and found good in the last 30 days.'],
  free: ['backup_free_bytes', 'Bytes that may still be written to the volume of the backups.'],
  capacity: ['backup_capacity_bytes', 'Size of that volume.'],
  status: ['backup_last_status', '1 where the last run of this process was good, 0 where it failed; 1 before the first.'],
} as const;

/** Since the start. */
export const COUNTERS = {
  runs: ['backup_runs_total', 'Runs since the start, by outcome: completed, failed, skipped.', ['outcome']],
  failures: [
    'backup_failures_total',
    'Runs that failed or were skipped since the start, by how far they came and why.',
    ['phase', 'reason'],
  ],
  prunes: ['backup_prunes_total', 'Prunes since the start, by outcome: ok, failed.', ['outcome']],
  deleted: ['backup_deleted_snapshots_total', 'Snapshots that were deleted by the retention since the start.', []],
  collected: ['backup_collected_bytes_total', 'Bytes of objects that no snapshot needed and that were taken away since the start.', []],
} as const;

type GaugeKey = keyof typeof GAUGES;
type CounterKey = keyof typeof COUNTERS;
const GAUGE_KEYS = Object.keys(GAUGES) as GaugeKey[];
const COUNTER_KEYS = Object.keys(COUNTERS) as CounterKey[];

/** The figures of the backups, for Prometheus. */
export class BackupMetrics {
  constructor(
    private readonly gauges: Readonly<Record<GaugeKey, Gauge>>,
    private readonly counters: Readonly<Record<CounterKey, Counter>>,
  ) {}

  /** @param coverage 0 to 1 */
  show(figures: BackupFigures, coverage: number): void {
    const { lastSuccess, lastVerified } = figures;
    const values: Readonly<Record<Exclude<GaugeKey, 'status' | 'free' | 'capacity'>, number>> = {
      lastSuccess: secondsOf(lastSuccess?.finishedAt),
      lastVerified: secondsOf(lastVerified?.at),
      rpo: figures.rpoSeconds,
      rpoTarget: figures.rpoTargetSeconds ?? 0,
      interval: figures.expectedIntervalSeconds ?? 0,
      duration: lastSuccess?.seconds ?? 0,
      bytes: lastSuccess?.bytes ?? 0,
      newBytes: lastSuccess?.newBytes ?? 0,
      objects: lastSuccess?.objects ?? 0,
      snapshots: figures.snapshots,
      damaged: figures.damaged,
      unsigned: figures.unsigned,
      future: figures.future,
      oldestUnverified: figures.oldestUnverifiedSeconds,
      coverage,
    };
    for (const [key, value] of Object.entries(values)) this.gauges[key as GaugeKey].set(value);
  }

  showVolume({ freeBytes, totalBytes }: Volume): void {
    this.gauges.free.set(freeBytes);
    this.gauges.capacity.set(totalBytes);
  }

  showStatus(good: boolean): void {
    this.gauges.status.set(good ? 1 : 0);
  }

  countRun({ outcome, phase, reason }: RunOutcome): void {
    this.counters.runs.inc({ outcome });
    if (reason !== undefined) this.counters.failures.inc({ phase, reason });
  }

  countPrune(report: PruneReport | undefined): void {
    this.counters.prunes.inc({ outcome: report === undefined ? 'failed' : 'ok' });
    this.counters.deleted.inc(report?.deleted.length ?? 0);
    this.counters.collected.inc(report?.bytes ?? 0);
  }
}

const NAMES = [...Object.values(GAUGES), ...Object.values(COUNTERS)].map(([name]) => name);

/** What Prometheus is told of the backups. */
export const BACKUP_METRICS = [
  ...Object.values(GAUGES).map(([name, help]) => makeGaugeProvider({ name, help })),
  ...Object.values(COUNTERS).map(([name, help, labelNames]) => makeCounterProvider({ name, help, labelNames })),
  {
    provide: BackupMetrics,
    useFactory: (...metrics: readonly unknown[]) =>
      new BackupMetrics(named(GAUGE_KEYS, metrics), named(COUNTER_KEYS, metrics.slice(GAUGE_KEYS.length))),
    inject: NAMES.map((name) => getToken(name)),
  },
];

function named<Key extends string, Metric>(keys: readonly Key[], metrics: readonly unknown[]): Readonly<Record<Key, Metric>> {
  return Object.fromEntries(keys.map((key, at) => [key, metrics[at]])) as Record<Key, Metric>;
}

function secondsOf(at: string | undefined): number {
  return at === undefined ? 0 : Date.parse(at) / 1000;
}
