import type { Conflict, Conflicts, Selection } from '../../models/registry/registry-merge';
import type { ModelDifference } from '../../models/registry/registry-difference';
import type { Signature } from '../snapshot/snapshot-seal';
import type { Progress, SnapshotId } from '../snapshot/snapshot-records';

/** What of a snapshot is restored, and how. */
export interface RestoreOptions extends Selection {
  /** Where something is there already that is another; default `fail`. Of a whole registry nothing stays in the way. */
  readonly conflicts?: Conflicts;
  /** Where objects are damaged: what is whole comes back, the rest as deleted versions. */
  readonly partial?: boolean;
  /** Restores also what cannot be loaded. */
  readonly force?: boolean;
  /** Takes a snapshot of what is there first; default yes. */
  readonly safety?: boolean;
  /** The registry's last event must be this one: that of the plan. */
  readonly seq?: number;
  readonly reason?: string;
  readonly progress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/** An object of a snapshot that is not what it was, and is not in the registry either. */
export interface DamagedObject {
  /** Where it lies in a registry. */
  readonly path: string;
  readonly detail: string;
}

/** A version whose files are not all to be had. */
export interface LostVersion {
  readonly model: string;
  readonly version: number;
}

/** What a restore would do, or did. */
export interface RestorePlan {
  readonly snapshot: SnapshotId;
  /** When the snapshot's cut was made. */
  readonly createdAt: string;
  readonly signature: Signature;
  /** Number of the registry's last event before: the plan is true for no other. */
  readonly seq: number;
  /** Models that differ then, as callers see them. */
  readonly models: readonly ModelDifference[];
  /** What stayed, or came under another number, because something was there. */
  readonly conflicts: readonly Conflict[];
  /** What the registry does not have. */
  readonly copy: { readonly blobs: number; readonly bytes: number };
  readonly damaged: readonly DamagedObject[];
  readonly lost: readonly LostVersion[];
}

/** What a restore did. */
export interface RestoreOutcome extends RestorePlan {
  /** The number of the event that did it. */
  readonly event: number;
  /** The snapshot of what was there before; absent where none was wanted. */
  readonly safety?: SnapshotId;
}
