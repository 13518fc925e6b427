import type { SnapshotId, SnapshotRecord } from '../snapshot/snapshot-records';
import type { DrillRun, DrillRuns } from './drill-runs';

/** How a run of drills ended in this process. */
export interface DrillRunOutcome {
  readonly outcome: 'completed' | 'failed' | 'skipped';
  /** Of each snapshot that failed, and of what was skipped: how far it came, and why; words of closed sets. */
  readonly failures: readonly { readonly id?: SnapshotId; readonly phase: string; readonly reason: string }[];
}

/** What is known of drills at some moment. Times are ISO 8601, UTC. */
export interface DrillFigures {
  /** What lies between two runs of the schedule, at most; `null` where it is off. */
  readonly expectedIntervalSeconds: number | null;
  readonly lastRun: DrillRun | null;
  readonly lastSuccess: DrillRun | null;
  /** How long since a drill was good, or since there has been something to drill. */
  readonly sinceSuccessSeconds: number;
  /** How long a restore of the newest snapshot takes until all of it serves; `null`: never measured. */
  readonly rtoSeconds: number | null;
  /** How long it may take; `null`: nobody has said. */
  readonly rtoTargetSeconds: number | null;
  /** Snapshots that are there, and whose last drill failed. */
  readonly failed: readonly { readonly id: SnapshotId; readonly phase: string; readonly reason: string }[];
}

/** @param records deleted ones too */
export function drillFiguresOf(
  records: readonly SnapshotRecord[],
  { last, lastGood, rtoMs }: Pick<DrillRuns, 'last' | 'lastGood' | 'rtoMs'>,
  { now, intervalMs, rtoTargetSeconds }: { readonly now: Date; readonly intervalMs: number | undefined; readonly rtoTargetSeconds: number },
): DrillFigures {
  const there = records.filter(({ deleted }) => deleted === undefined);
  const since = lastGood?.at ?? records[0]?.finishedAt;
  return {
    expectedIntervalSeconds: intervalMs === undefined ? null : intervalMs / 1000,
    lastRun: last ?? null,
    lastSuccess: lastGood ?? null,
    sinceSuccessSeconds: since === undefined ? 0 : Math.max(0, now.getTime() - Date.parse(since)) / 1000,
    rtoSeconds: rtoMs === undefined ? null : rtoMs / 1000,
    rtoTargetSeconds: rtoTargetSeconds || null,
    failed: there.flatMap(({ id, drilled }) =>
      drilled?.failure === undefined ? [] : [{ id, phase: drilled.failure.phase, reason: drilled.failure.reason }],
    ),
  };
}

/** What people should look at; empty where all is well. */
export function drillWorriesOf(
  { expectedIntervalSeconds, sinceSuccessSeconds, rtoSeconds, rtoTargetSeconds, failed }: DrillFigures,
  lastRun: DrillRunOutcome | undefined,
): readonly string[] {
  const overdue = expectedIntervalSeconds !== null && sinceSuccessSeconds > 2 * expectedIntervalSeconds;
  const tooSlow = rtoTargetSeconds !== null && rtoSeconds !== null && rtoSeconds > rtoTargetSeconds;
  const unwritten = (lastRun?.outcome === 'failed' ? lastRun.failures : []).filter(({ id }) => !failed.some((each) => each.id === id));
  return [
    ...[...failed, ...unwritten].map(({ id, phase, reason }) => `the drill of ${id ?? 'the snapshots'} failed while ${phase}: ${reason}`),
    ...(overdue ? ['no drill has been good for two intervals of its schedule'] : []),
    ...(tooSlow ? [`a restore takes ${rtoSeconds} s, longer than RESTORE_RTO_TARGET_SECONDS=${rtoTargetSeconds} allows`] : []),
  ];
}
