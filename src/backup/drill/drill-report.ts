import type { SnapshotId } from '../snapshot/snapshot-records';
import type { Problem } from '../verify/verify-report';

/** The steps of a drill, in their order. */
export const DRILL_PHASES = ['restoring', 'verifying', 'loading', 'replaying', 'deleting'] as const;

/** A step of a drill. */
export type DrillPhase = (typeof DRILL_PHASES)[number];

/** Why a drill failed, beside what a verification finds. */
export const DRILL_REASONS = [
  'aborted',
  'damaged',
  'disk',
  'engine-crashed',
  'engine-deadline',
  'engine-unavailable',
  'golden-mismatch',
  'key',
  'link',
  'model-refused',
  'newer',
  'no-space',
  'repository-damaged',
  'unforeseen',
  'unsigned',
] as const;

/** Why a drill failed: also whatever a verification finds. docs/BACKUP.md says what to do about each. */
export type DrillReason = (typeof DRILL_REASONS)[number] | Problem;

/** How far a drill came, why it did not come further, and what that is about. */
export interface DrillFailure {
  readonly phase: DrillPhase;
  readonly reason: DrillReason;
  /** One sentence. */
  readonly detail: string;
  /** Paths in `backups/`; of models as `models/<name>/<version>`. Empty where it is about none. */
  readonly objects: readonly string[];
}

/** What a drill of one snapshot measured. Milliseconds; loading and replaying are of all models together. */
export interface DrillMeasures {
  readonly objects: number;
  readonly bytes: number;
  /** Models that were loaded: all that are in production there. */
  readonly models: number;
  /** Golden rows that they answered rightly. */
  readonly goldenRows: number;
  readonly restoreMs: number;
  readonly verifyMs: number;
  readonly loadMs: number;
  readonly replayMs: number;
  /** All of it, the scratch folder taken away. */
  readonly ms: number;
}

/** What came of the drill of one snapshot. */
export interface DrillOutcome extends DrillMeasures {
  readonly id: SnapshotId;
  readonly ok: boolean;
  /** There where it is not ok. */
  readonly failure?: DrillFailure;
}

/** One of a run. */
export interface DrilledSnapshot extends DrillOutcome {
  /** Whether it was the newest one when the run began. */
  readonly newest: boolean;
  /** Why the outcome is not in the log of `backups/`; absent: it is. */
  readonly unrecorded?: string;
}

/** What came of a run of drills. */
export interface DrillReport {
  readonly ok: boolean;
  readonly ms: number;
  readonly snapshots: readonly DrilledSnapshot[];
}
