import type { Signature } from '../snapshot/snapshot-seal';
import type { SnapshotId, VerifyLevel } from '../snapshot/snapshot-records';
import type { Subset } from './subset';

/** What can be wrong with an object, for programs. docs/BACKUP.md says what each means. */
export const PROBLEMS = ['chain', 'contradiction', 'digest', 'malformed', 'missing', 'parent', 'signature', 'size', 'unreadable'] as const;

/** What can be wrong. */
export type Problem = (typeof PROBLEMS)[number];

/** Something that is not as it should be. */
export interface VerifyFinding {
  /** Where it lies in a registry; `manifest` or `log` for those of `backups/`. */
  readonly object: string;
  /** Where it lies in `backups/`. */
  readonly path: string;
  readonly problem: Problem;
  /** One sentence. */
  readonly detail: string;
}

/** What a verification found. */
export interface VerifyReport {
  readonly id: SnapshotId;
  readonly level: VerifyLevel;
  readonly subset?: Subset;
  readonly ok: boolean;
  /** `unchecked`: it is signed, and there is no key here. Absent where the manifest could not be read. */
  readonly signature?: Signature;
  readonly findings: readonly VerifyFinding[];
  /** Whose bytes were read. */
  readonly objectsRead: number;
  readonly bytesRead: number;
  /** Why the outcome is not in the log of `backups/`; absent: it is. */
  readonly unrecorded?: string;
}
