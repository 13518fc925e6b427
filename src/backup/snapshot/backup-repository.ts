import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import type { BlobName } from '../../storage/blob-store.port';
import type { EventFields, LogEntry, LogPosition } from '../../storage/event-log.port';
import type { SnapshotManifest, SnapshotObject } from './snapshot-manifest';
import type { SnapshotId, SnapshotRecord } from './snapshot-records';

/** What `backups/` has: snapshots, and the objects that they name. */
@Injectable()
export class BackupRepository {
  declare private readonly todo: never;

  /** Every snapshot, deleted ones too, the newest first. Reads the disk: what it lacks is in `damaged`. */
  list(): Promise<readonly SnapshotRecord[]> {
    return Promise.resolve(this.todo);
  }

  /** @throws SnapshotNotFound */
  find(_id: SnapshotId): Promise<SnapshotRecord> {
    return Promise.resolve(this.todo);
  }

  /** @throws SnapshotNotFound, SnapshotDamaged, SnapshotNewer */
  manifestOf(_id: SnapshotId): Promise<SnapshotManifest> {
    return Promise.resolve(this.todo);
  }

  /** The plain bytes of an object of a manifest, checked while they are read: the stream fails where they are not what was promised. */
  openObject(_object: SnapshotObject): Promise<Readable> {
    return Promise.resolve(this.todo);
  }

  /**
   * Appends what `decide` wants to the log of `backups/`, decided on all events that are there.
   * @param decide called once for each lost race; `undefined`: nothing to do; may throw
   */
  commit(_decide: (history: BackupHistory) => EventFields | undefined): Promise<LogEntry | undefined> {
    return Promise.resolve(this.todo);
  }

  /** The log of `backups/`, read just now. */
  history(): Promise<BackupHistory> {
    return Promise.resolve(this.todo);
  }
}

/** Will move to backup-history.ts: the fold of the log of `backups/`. */
export interface BackupHistory {
  readonly position: LogPosition;
  /** By id, in the order of their completion; no `damaged` by what the disk lacks here. */
  readonly snapshots: ReadonlyMap<SnapshotId, SnapshotRecord>;
  /** What a blob with these bytes is called from now on: `<digest>`, or `<digest>.<n>` where event n condemned it last. */
  blobName(digest: string): BlobName;
}

/** The blobs of `backups/` that a snapshot needs, its manifest's blob (`record.manifest`) not among them. */
export function storedNames({ objects }: SnapshotManifest): ReadonlySet<BlobName> {
  return new Set(objects.map(({ stored }) => stored));
}
