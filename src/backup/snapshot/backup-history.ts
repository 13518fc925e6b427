import type { BlobName } from '../../storage/blob-store.port';
import { type EventFields, LOG_START, type LogEntry, type LogPosition, type StoredEvent } from '../../storage/event-log.port';
import {
  type DrilledFailure,
  isSnapshotId,
  type SnapshotId,
  type SnapshotRecord,
  type Trigger,
  type VerifyLevel,
} from './snapshot-records';

/** A snapshot is there from here on: its objects and its manifest were durable before. */
export interface SnapshotCompleted extends EventFields {
  readonly kind: 'snapshot.completed';
  readonly id: SnapshotId;
  /** Number of the registry's last event in it; `seq` is this event's own. */
  readonly registrySeq: number;
  readonly lineage: string;
  readonly createdAt: string;
  readonly startedAt: string;
  readonly trigger: Trigger;
  readonly manifest: string;
  readonly signed: boolean;
  readonly encrypted: boolean;
  readonly objects: number;
  readonly bytes: number;
  readonly newBytes: number;
  /** Blobs that a verification had found damaged, and that were written again for it. */
  readonly healed?: readonly BlobName[];
}

/** A verification found nothing. */
export interface SnapshotVerified extends EventFields {
  readonly kind: 'snapshot.verified';
  readonly id: SnapshotId;
  readonly level: VerifyLevel;
  /** Part n of t of its objects were read, not all. */
  readonly subset?: { readonly n: number; readonly t: number };
  readonly objectsRead: number;
  readonly bytesRead: number;
}

/** A verification found something. */
export interface SnapshotFoundDamaged extends EventFields {
  readonly kind: 'snapshot.damaged';
  readonly id: SnapshotId;
  readonly findings: readonly string[];
  /** What is to be written again when it is needed next, and not believed. */
  readonly blobs: readonly BlobName[];
}

/** Snapshots are out of sight from here on, and come back by an event until their objects are collected. */
export interface SnapshotDeleted extends EventFields {
  readonly kind: 'snapshot.deleted';
  /** All that went by one decision: it is done whole, or not at all. */
  readonly ids: readonly SnapshotId[];
  readonly reason: string;
}

/** A deleted snapshot is there again. */
export interface SnapshotUndeleted extends EventFields {
  readonly kind: 'snapshot.undeleted';
  readonly id: SnapshotId;
}

/** A restore reads a snapshot: it is neither deleted nor collected until this is over, or that time has come. */
export interface SnapshotPinned extends EventFields {
  readonly kind: 'snapshot.pinned';
  readonly id: SnapshotId;
  /** Names the pin: several may read one snapshot. */
  readonly pin: string;
  /** ISO 8601, UTC: who was killed lets go by it. */
  readonly until: string;
}

/** Whoever read it has ended. */
export interface SnapshotUnpinned extends EventFields {
  readonly kind: 'snapshot.unpinned';
  readonly id: SnapshotId;
  readonly pin: string;
}

/** A snapshot was restored into a scratch folder, and what is in production there brought to its answers. */
export interface SnapshotDrilled extends EventFields {
  readonly kind: 'snapshot.drilled';
  readonly id: SnapshotId;
  readonly ok: boolean;
  readonly failure?: DrilledFailure;
  /** Whether it was the newest one when the run began. */
  readonly newest: boolean;
  /** Names the run that it is part of. */
  readonly run: string;
  /** Whether the run ended with it. */
  readonly last: boolean;
  readonly restoreMs: number;
  readonly verifyMs: number;
  readonly loadMs: number;
  readonly ms: number;
}

/** From here on these blobs are called `<digest>.<seq of this event>`: what lies under their old names may be removed at any time. */
export interface BackupBlobsCondemned extends EventFields {
  readonly kind: 'blobs.condemned';
  readonly digests: readonly string[];
}

/** Every kind of event in the log of `backups/` that this version understands; others are passed over. */
export type BackupEvent =
  | SnapshotCompleted
  | SnapshotVerified
  | SnapshotFoundDamaged
  | SnapshotDeleted
  | SnapshotUndeleted
  | SnapshotPinned
  | SnapshotUnpinned
  | SnapshotDrilled
  | BackupBlobsCondemned;

const ABOUT_ONE: ReadonlySet<string> = new Set(['snapshot.verified', 'snapshot.damaged', 'snapshot.undeleted', 'snapshot.drilled']);

/** What the log of `backups/` says, as far as it was read. */
export class BackupHistory {
  private readonly known = new Map<SnapshotId, SnapshotRecord>();
  private readonly condemned = new Map<string, number>();
  private readonly manifests = new Map<SnapshotId, BlobName>();
  private readonly pins = new Map<string, { readonly id: SnapshotId; readonly until: string }>();
  /** Blobs that a verification found damaged, and nobody has written again. */
  readonly suspects = new Set<BlobName>();
  private at: LogPosition = LOG_START;
  private unknown: { readonly kind: string; readonly seq: number } | undefined;

  /** The first event that this version of the service does not understand, if there is one: a newer version wrote it. */
  get foreign(): { readonly kind: string; readonly seq: number } | undefined {
    return this.unknown;
  }

  /** How far it was read. */
  get position(): LogPosition {
    return this.at;
  }

  /** By id, in the order of their completion, deleted ones too. What the disk lacks is not in `damaged` here. */
  get snapshots(): ReadonlyMap<SnapshotId, SnapshotRecord> {
    return this.known;
  }

  /** What a blob with these bytes is called from now on. @param digest SHA-256 of the stored bytes */
  blobName(digest: string): BlobName {
    const seq = this.condemned.get(digest);
    return seq === undefined ? digest : `${digest}.${seq}`;
  }

  /** What the blob of a snapshot's manifest is called. */
  manifestBlob(id: SnapshotId): BlobName {
    return this.manifests.get(id) ?? this.blobName(this.known.get(id)?.manifest ?? '');
  }

  /** Until when somebody may read a snapshot: ISO 8601, UTC; undefined where nobody does. */
  pinnedUntil(id: SnapshotId, now: Date): string | undefined {
    const pins = [...this.pins.values()].filter((pin) => pin.id === id && pin.until > now.toISOString());
    return pins
      .map(({ until }) => until)
      .sort()
      .at(-1);
  }

  /** Makes the next event true. */
  apply({ event, position }: LogEntry): void {
    this.at = position;
    const said = event as StoredEvent & BackupEvent;
    if (said.kind === 'blobs.condemned') return this.condemn(said.digests, said.seq);
    if (said.kind === 'snapshot.completed') return this.complete(said);
    if (said.kind === 'snapshot.deleted') return this.delete(said);
    if (said.kind === 'snapshot.pinned') return void this.pins.set(said.pin, { id: said.id, until: said.until });
    if (said.kind === 'snapshot.unpinned') return void this.pins.delete(said.pin);
    if (!ABOUT_ONE.has(said.kind)) this.unknown ??= { kind: event.kind, seq: event.seq };
    const record = this.known.get((said as { id?: string }).id ?? '');
    if (record !== undefined) this.known.set(record.id, this.changed(record, said));
  }

  private delete({ ids, at, reason }: StoredEvent & SnapshotDeleted): void {
    for (const id of ids) {
      const record = this.known.get(id);
      if (record === undefined) continue;
      const { undeleted: _undeleted, ...there } = record;
      this.known.set(id, { ...there, deleted: { at, reason } });
    }
  }

  private condemn(digests: readonly string[], seq: number): void {
    for (const digest of digests) this.condemned.set(digest, seq);
  }

  private complete(event: StoredEvent & SnapshotCompleted): void {
    const { id, registrySeq, lineage, createdAt, startedAt, trigger, manifest, signed, encrypted, objects, bytes, newBytes, healed } =
      event;
    if (!isSnapshotId(id)) return; // not ours: nothing is ever asked for under such a name
    for (const blob of healed ?? []) this.suspects.delete(blob);
    const figures = { signed, encrypted, objects, bytes, newBytes };
    this.known.set(id, { id, seq: registrySeq, lineage, createdAt, startedAt, finishedAt: event.at, trigger, manifest, ...figures });
    this.manifests.set(id, this.blobName(manifest));
  }

  private changed(record: SnapshotRecord, event: StoredEvent & BackupEvent): SnapshotRecord {
    const { deleted: _deleted, ...there } = record;
    const { verified: _verified, lookedOver: _lookedOver, damaged: _damaged, ...unlooked } = record;
    switch (event.kind) {
      case 'snapshot.undeleted':
        return { ...there, undeleted: { at: event.at } };
      case 'snapshot.verified':
        return this.verified(record, event);
      case 'snapshot.damaged':
        for (const blob of event.blobs) this.suspects.add(blob);
        return { ...unlooked, damaged: event.findings };
      case 'snapshot.drilled':
        return { ...record, drilled: drilledBy(event) };
      default:
        return record;
    }
  }

  /** A part of the bytes is not all of them. Who looks less closely than before has not found that all is well again, nor lost what was found before. */
  private verified(record: SnapshotRecord, { at, level, subset }: StoredEvent & SnapshotVerified): SnapshotRecord {
    const whole = level === 'data' && subset === undefined;
    if (!whole && record.damaged !== undefined) return record;
    if (!whole && record.verified?.level === 'data') return { ...record, lookedOver: { at } };
    const { damaged: _damaged, lookedOver: _lookedOver, ...sound } = record;
    return { ...sound, verified: { at, level: whole ? 'data' : 'structure' } };
  }
}

function drilledBy({ at, ok, failure, ms }: StoredEvent & SnapshotDrilled): NonNullable<SnapshotRecord['drilled']> {
  return { at, ok, ms, ...(failure && { failure }) };
}
