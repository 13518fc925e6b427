import { isGood, newestVerified } from './retention/retention';
import type { SnapshotId, SnapshotRecord, VerifyLevel } from './snapshot/snapshot-records';

/** How a run of the schedule ended, or one that was asked for. */
export interface RunOutcome {
  readonly outcome: 'completed' | 'failed' | 'skipped';
  /** How far it came: a closed set of words. */
  readonly phase: RunPhase;
  /** Why it did not come further; a word of a closed set. Always there where the outcome is not `completed`. */
  readonly reason?: string;
  /** What that is about: paths; empty where it is about none. */
  readonly objects: readonly string[];
  readonly snapshot?: SnapshotId;
}

/** The steps of a run, in their order. */
export const RUN_PHASES = ['waiting', 'taking', 'verifying', 'pruning', 'done'] as const;

/** A step of a run. */
export type RunPhase = (typeof RUN_PHASES)[number];

/** What is known of the backups at some moment. Times are ISO 8601, UTC. */
export interface BackupFigures {
  /** What lies between two runs of the schedule, at most; `null` where it is off. */
  readonly expectedIntervalSeconds: number | null;
  readonly lastSuccess: Completed | null;
  /** The newest cut that was found good: what a restore would bring back. */
  readonly lastVerified: { readonly id: SnapshotId; readonly createdAt: string; readonly at: string; readonly level: VerifyLevel } | null;
  /** How much would be lost now: what happened since the newest verified cut, or since the registry began where there is none. */
  readonly rpoSeconds: number;
  /** More than that is too much: the setting, else two intervals of the schedule; `null` where there is neither. */
  readonly rpoTargetSeconds: number | null;
  readonly snapshots: number;
  readonly unverified: number;
  readonly oldestUnverifiedSeconds: number;
  readonly damaged: number;
  /** Dated after now: then the clock is wrong, or was. */
  readonly future: number;
  readonly unsigned: number;
}

/** The newest snapshot that was taken. */
export interface Completed {
  readonly id: SnapshotId;
  readonly finishedAt: string;
  readonly seconds: number;
  readonly bytes: number;
  readonly newBytes: number;
  readonly objects: number;
  readonly signed: boolean;
}

/** @param records in the order of their completion, deleted ones too @param since when there began to be something to lose */
export function figuresOf(
  records: readonly SnapshotRecord[],
  {
    now,
    since,
    intervalMs,
    rpoTargetSeconds = 0,
  }: { readonly now: Date; readonly since: Date; readonly intervalMs: number | undefined; readonly rpoTargetSeconds?: number },
): BackupFigures {
  const there = records.filter(({ deleted }) => deleted === undefined);
  const unverified = there.filter((record) => !isGood(record));
  const future = there.filter(({ createdAt }) => Date.parse(createdAt) > now.getTime());
  const newest = newestVerified(there, now);
  const last = records.at(-1);
  const ageOf = (at: string | undefined): number =>
    Math.max(0, now.getTime() - (at === undefined ? since.getTime() : Date.parse(at))) / 1000;
  return {
    expectedIntervalSeconds: intervalMs === undefined ? null : intervalMs / 1000,
    lastSuccess: last === undefined ? null : completedOf(last),
    lastVerified: newest?.verified === undefined ? null : { id: newest.id, createdAt: newest.createdAt, ...newest.verified },
    rpoSeconds: ageOf(newest?.createdAt),
    rpoTargetSeconds: rpoTargetSeconds || (intervalMs === undefined ? null : (2 * intervalMs) / 1000),
    snapshots: there.length,
    unverified: unverified.length,
    oldestUnverifiedSeconds: Math.max(0, ...unverified.map(({ createdAt }) => ageOf(createdAt))),
    damaged: there.filter(({ damaged }) => damaged !== undefined).length,
    future: future.length,
    unsigned: there.filter(({ signed }) => !signed).length,
  };
}

/** What people should look at; empty where all is well. */
export function worriesOf(
  { rpoSeconds, rpoTargetSeconds, expectedIntervalSeconds, damaged, future }: BackupFigures,
  lastRun: RunOutcome | undefined,
): readonly string[] {
  const tooOld = rpoTargetSeconds !== null && rpoSeconds > rpoTargetSeconds;
  const byInterval = expectedIntervalSeconds !== null && rpoTargetSeconds === 2 * expectedIntervalSeconds;
  const allowed = byInterval ? 'two intervals of the schedule' : `BACKUP_RPO_TARGET_SECONDS=${rpoTargetSeconds} allows`;
  return [
    ...(tooOld ? [`the newest verified snapshot is older than ${allowed}`] : []),
    ...(damaged > 0 ? [`damaged snapshots: ${damaged}`] : []),
    ...(future > 0 ? [`snapshots dated after now: ${future}; the clock is wrong, or was, and nothing is deleted until then`] : []),
    ...(lastRun?.outcome === 'failed' ? [`the last run failed while ${lastRun.phase}: ${lastRun.reason}`] : []),
  ];
}

function completedOf({ id, startedAt, finishedAt, bytes, newBytes, objects, signed }: SnapshotRecord): Completed {
  return { id, finishedAt, seconds: (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000, bytes, newBytes, objects, signed };
}
