import { Injectable } from '@nestjs/common';
import { hasCode } from '../../errors/has-code';
import type { BackupHistory } from './backup-history';
import { BackupRepository, type Scan } from './backup-repository';
import { blobPath } from './read-manifest';
import { bytesOf, type SnapshotObject } from './snapshot-manifest';
import { type PlainCopy, SnapshotManifests } from './snapshot-manifests';
import type { SnapshotId, SnapshotRecord } from './snapshot-records';
import { SnapshotNotFound } from './snapshot.errors';

const UNNAMED = 'the log of backups/ does not name it';

/** Snapshots as people see them: what the log tells, as far as the disk bears it out. */
@Injectable()
export class SnapshotInventory {
  constructor(
    private readonly repository: BackupRepository,
    private readonly manifests: SnapshotManifests,
  ) {}

  /** Every snapshot, deleted ones too, the newest first. Reads the disk: what it lacks is in `damaged`. */
  async list(): Promise<readonly SnapshotRecord[]> {
    const { history, damage } = await this.repository.readable();
    const scan = await this.repository.scan();
    const records = [...history.snapshots.values(), ...(await this.unlogged(history, damage))];
    const seen: SnapshotRecord[] = [];
    for (const record of records) seen.push(await this.seen(record, history, scan));
    return seen.sort((a, b) => (a.createdAt === b.createdAt ? (a.id < b.id ? 1 : -1) : a.createdAt < b.createdAt ? 1 : -1));
  }

  /** @throws SnapshotNotFound */
  async find(id: SnapshotId): Promise<SnapshotRecord> {
    const { history, damage } = await this.repository.readable();
    const found = history.snapshots.get(id) ?? (await this.unlogged(history, damage)).find((record) => record.id === id);
    if (found === undefined) throw new SnapshotNotFound(id);
    return this.seen(found, history, await this.repository.scan());
  }

  /** Snapshots that were finished, as their plain copy was made, but that the log tells nothing of. */
  private async unlogged(history: BackupHistory, damage = UNNAMED): Promise<readonly SnapshotRecord[]> {
    return (await this.manifests.unlogged(history)).map((copy) => ({ ...recordOf(copy), damaged: [damage] }));
  }

  /** A record, and what the disk lacks of it. Of what is deleted anything may be gone. */
  private async seen(record: SnapshotRecord, history: BackupHistory, scan: Scan): Promise<SnapshotRecord> {
    if (record.deleted !== undefined) return record;
    const damaged = [...(record.damaged ?? []), ...(await this.lacks(record, history, scan))];
    return damaged.length === 0 ? record : { ...record, damaged };
  }

  private async lacks({ id, damaged }: SnapshotRecord, history: BackupHistory, scan: Scan): Promise<readonly string[]> {
    const logged = history.snapshots.has(id);
    const missing = logged && !scan.has(history.manifestBlob(id)) ? ['the manifest is missing'] : [];
    try {
      const { objects } = await this.manifests.of(id, history);
      return [...missing, ...objects.flatMap((object) => lackOf(object, scan) ?? [])];
    } catch (error) {
      if (damaged !== undefined || missing.length > 0) return missing;
      return [
        hasCode(error, 'SNAPSHOT_DAMAGED', 'SNAPSHOT_NEWER') ? (error as Error).message : `the manifest cannot be read: ${String(error)}`,
      ];
    }
  }
}

/** @returns what the disk lacks of an object, as a sentence */
function lackOf({ path, stored, storedBytes }: SnapshotObject, scan: Scan): string | undefined {
  const bytes = scan.get(stored);
  if (bytes === undefined) return `${path} is missing (${blobPath(stored)})`;
  return bytes === storedBytes ? undefined : `${path} has ${bytes} bytes, not ${storedBytes} (${blobPath(stored)})`;
}

function recordOf({ manifest, sha256 }: PlainCopy): SnapshotRecord {
  const { id, seq, lineage, createdAt, trigger, objects, signature, encryption } = manifest;
  return {
    id,
    seq,
    lineage,
    createdAt,
    startedAt: createdAt,
    finishedAt: createdAt,
    trigger,
    manifest: sha256,
    signed: signature !== undefined,
    encrypted: encryption !== undefined,
    objects: objects.length,
    bytes: bytesOf(manifest),
    newBytes: 0,
  };
}
