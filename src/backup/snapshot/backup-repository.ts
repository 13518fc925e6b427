import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { BackupConfig } from '../../config/app-config';
import { hasCode } from '../../errors/has-code';
import { BackupBlobs, type BlobName, type StagedBlob } from '../../storage/blob-store.port';
import { discardFile, DurableFiles } from '../../storage/durable-files';
import { BackupLog, type EventFields, LOG_START, type LogEntry } from '../../storage/event-log.port';
import { readRegular } from '../../storage/regular-file';
import { sweepStaging } from '../../storage/staging-sweep';
import { BlobMissing, LogDamaged } from '../../storage/storage.errors';
import { hashOf } from '../../storage/stored-event';
import { BackupHistory } from './backup-history';
import { decrypted } from './object-cipher';
import { blobPath, MAX_MANIFEST_BYTES, readManifest } from './read-manifest';
import type { SnapshotManifest, SnapshotObject } from './snapshot-manifest';
import { isSnapshotId, type SnapshotId, type SnapshotRecord } from './snapshot-records';
import { SnapshotSeal } from './snapshot-seal';
import { SnapshotDamaged, SnapshotNotFound } from './snapshot.errors';

const COPY = /^(.+)\.json$/;
const DAY_MS = 86_400_000;

/** What the disk has: the size of every blob. */
export type Scan = ReadonlyMap<BlobName, number>;

/** What `backups/` has: snapshots, and the objects that they name. */
@Injectable()
export class BackupRepository {
  private readonly files: DurableFiles;
  private readonly copies: string;

  constructor(
    readonly blobs: BackupBlobs,
    private readonly log: BackupLog,
    private readonly seal: SnapshotSeal,
    config: BackupConfig,
  ) {
    this.files = new DurableFiles(config.backupsDir);
    this.copies = join(this.files.root, 'snapshots');
  }

  /** Every snapshot, deleted ones too, the newest first. Reads the disk: what it lacks is in `damaged`. */
  async list(): Promise<readonly SnapshotRecord[]> {
    const { history, damage } = await this.readable();
    const scan = await this.scan();
    const records = [...history.snapshots.values(), ...(await this.unlogged(history, damage))];
    const seen: SnapshotRecord[] = [];
    for (const record of records) seen.push(await this.seen(record, history, scan));
    return seen.sort((a, b) => (a.createdAt === b.createdAt ? (a.id < b.id ? 1 : -1) : a.createdAt < b.createdAt ? 1 : -1));
  }

  /** @throws SnapshotNotFound */
  async find(id: SnapshotId): Promise<SnapshotRecord> {
    const { history, damage } = await this.readable();
    const found = history.snapshots.get(id) ?? (await this.unlogged(history, damage)).find((record) => record.id === id);
    if (found === undefined) throw new SnapshotNotFound(id);
    return this.seen(found, history, await this.scan());
  }

  /** From its blob, or where that is lost from its plain copy. @throws SnapshotNotFound, SnapshotDamaged, SnapshotNewer */
  async manifestOf(id: SnapshotId): Promise<SnapshotManifest> {
    return this.manifestIn((await this.readable()).history, id);
  }

  private async manifestIn(history: BackupHistory, id: SnapshotId): Promise<SnapshotManifest> {
    if (history.snapshots.has(id)) return this.trustedManifest(id, history);
    const copy = await this.copyOf(id);
    if (copy === undefined) throw new SnapshotNotFound(id);
    return readManifest(copy);
  }

  /** The plain bytes of an object of a manifest, checked while they are read: the stream fails where they are not what was promised. */
  async openObject(object: SnapshotObject, encryption?: SnapshotManifest['encryption']): Promise<Readable> {
    const key = encryption && (await this.seal.keyNamed(encryption.keyId));
    const stored = await this.blobs.open(object.stored).catch((error: unknown) => {
      throw hasCode(error, 'BLOB_MISSING') ? new SnapshotDamaged(`The object ${object.path}`, 'it is not there', { cause: error }) : error;
    });
    const limited = exactly(stored, object.path, object.storedBytes);
    const content = Readable.from(checked(key === undefined ? limited : decrypted(limited, key, object), object), { objectMode: false });
    return content.once('close', () => stored.destroy()); // also where nobody has read from it yet
  }

  /** The log of `backups/`, read just now. @throws LogDamaged */
  async history(): Promise<BackupHistory> {
    const history = new BackupHistory();
    for await (const entry of this.log.read(LOG_START)) history.apply(entry);
    return history;
  }

  /**
   * Appends what `decide` wants to the log of `backups/`, decided on all events that are there.
   * @param decide called once for each lost race; `undefined`: nothing to do; may throw
   * @throws CommitUncertain, NoSpace, LogDamaged
   */
  async commit(decide: (history: BackupHistory) => EventFields | undefined): Promise<LogEntry | undefined> {
    for (;;) {
      const history = await this.history();
      if (this.log.uncertain) await this.log.settle();
      const fields = decide(history);
      if (fields === undefined) return undefined;
      try {
        return await this.log.append(history.position, fields);
      } catch (error) {
        if (!hasCode(error, 'EVENT_CONFLICT')) throw error;
      }
    }
  }

  /** What is on the disk now. */
  async scan(): Promise<Scan> {
    const sizes = new Map<BlobName, number>();
    for await (const { name, bytes } of this.blobs.list()) sizes.set(name, bytes);
    return sizes;
  }

  /** Of a snapshot that the log names; the SHA-256 that the event has is checked. @throws SnapshotDamaged, SnapshotNewer */
  async trustedManifest(id: SnapshotId, history: BackupHistory): Promise<SnapshotManifest> {
    const manifest = readManifest(await this.manifestBytes(id, history));
    if (manifest.id !== id) throw new SnapshotDamaged('The manifest', `it is that of "${manifest.id}"`);
    return manifest;
  }

  /** Gives a manifest its plain copy, for people and rsync: a second name of the same bytes. */
  async keepCopy(id: SnapshotId, staged: Pick<StagedBlob, 'path'>): Promise<void> {
    await this.files.guard(async () => {
      await this.files.claim(staged.path, this.pathOfCopy(id));
      await this.files.flushFolder(this.copies);
    });
  }

  /** Takes away what processes left that are gone, and plain copies of what is deleted; makes those again that are missing. */
  async tidy(): Promise<void> {
    await sweepStaging(this.files.root, DAY_MS);
    const history = await this.history();
    const names = new Set(await this.copyNames());
    for (const { id, deleted } of history.snapshots.values()) {
      const name = `${id}.json`;
      if (deleted === undefined && !names.has(name)) await this.copyAgain(id, history);
      else if (deleted !== undefined && names.has(name)) await discardFile(this.pathOfCopy(id));
    }
  }

  /** What cannot be read is damaged, and shown so: no reason to take no snapshot. */
  private async copyAgain(id: SnapshotId, history: BackupHistory): Promise<void> {
    const bytes = await this.manifestBytes(id, history).catch((error: unknown) => {
      if (error instanceof SnapshotDamaged) return undefined;
      throw error;
    });
    if (bytes === undefined) return;
    const path = await this.files.guard(() => this.files.writeStaged(bytes));
    try {
      await this.keepCopy(id, { path });
    } finally {
      await discardFile(path);
    }
  }

  /** The log as far as it can be read: an inventory shows what there is. */
  private async readable(): Promise<{ readonly history: BackupHistory; readonly damage?: string }> {
    const history = new BackupHistory();
    try {
      for await (const entry of this.log.read(LOG_START)) history.apply(entry);
      return { history };
    } catch (error) {
      if (!(error instanceof LogDamaged)) throw error;
      return { history, damage: error.message };
    }
  }

  /** Snapshots that were finished, as their plain copy was made, but that the log tells nothing of. */
  private async unlogged(history: BackupHistory, damage = 'the log of backups/ does not name it'): Promise<readonly SnapshotRecord[]> {
    const records: SnapshotRecord[] = [];
    for (const name of await this.copyNames()) {
      const [, id = ''] = COPY.exec(name) ?? [];
      if (!isSnapshotId(id) || history.snapshots.has(id)) continue;
      const bytes = await this.copyOf(id);
      const manifest = bytes && readable(bytes);
      if (manifest?.id === id) records.push({ ...recordOf(manifest, bytes as Buffer), damaged: [damage] });
    }
    return records;
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
      const { objects } = await this.manifestIn(history, id);
      return [...missing, ...objects.flatMap((object) => lackOf(object, scan) ?? [])];
    } catch (error) {
      if (damaged !== undefined || missing.length > 0) return missing;
      return [
        hasCode(error, 'SNAPSHOT_DAMAGED', 'SNAPSHOT_NEWER') ? (error as Error).message : `the manifest cannot be read: ${String(error)}`,
      ];
    }
  }

  /** What is wrong with the blob of a manifest that the log names. */
  async manifestFault(id: SnapshotId, history: BackupHistory): Promise<'missing' | 'digest' | undefined> {
    const blob = await this.blobBytes(history.manifestBlob(id));
    if (blob === undefined) return 'missing';
    return hashOf(blob) === history.snapshots.get(id)?.manifest ? undefined : 'digest';
  }

  private async manifestBytes(id: SnapshotId, history: BackupHistory): Promise<Buffer> {
    const wanted = history.snapshots.get(id)?.manifest;
    const blob = await this.blobBytes(history.manifestBlob(id));
    if (blob !== undefined && hashOf(blob) === wanted) return blob;
    const copy = await this.copyOf(id);
    if (copy !== undefined && hashOf(copy) === wanted) return copy;
    throw new SnapshotDamaged('The manifest', blob === undefined ? 'it is missing' : 'its bytes are not those that were stored');
  }

  private async blobBytes(name: BlobName): Promise<Buffer | undefined> {
    try {
      return await bounded(await this.blobs.open(name));
    } catch (error) {
      if (error instanceof BlobMissing || hasCode(error, 'EIO', 'EBADMSG', 'EUCLEAN')) return undefined;
      throw error;
    }
  }

  private async copyNames(): Promise<readonly string[]> {
    return readdir(this.copies).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
      throw error;
    });
  }

  /** @returns undefined where there is no such file, or none that could be a manifest */
  private async copyOf(id: SnapshotId): Promise<Buffer | undefined> {
    try {
      const bytes = await readRegular(this.pathOfCopy(id));
      return bytes !== undefined && bytes.length <= MAX_MANIFEST_BYTES ? bytes : undefined;
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EIO')) return undefined;
      throw error;
    }
  }

  private pathOfCopy(id: SnapshotId): string {
    if (!isSnapshotId(id)) throw new SnapshotNotFound(id);
    return join(this.copies, `${id}.json`);
  }
}

/** @returns what the disk lacks of an object, as a sentence */
function lackOf({ path, stored, storedBytes }: SnapshotObject, scan: Scan): string | undefined {
  const bytes = scan.get(stored);
  if (bytes === undefined) return `${path} is missing (${blobPath(stored)})`;
  return bytes === storedBytes ? undefined : `${path} has ${bytes} bytes, not ${storedBytes} (${blobPath(stored)})`;
}

function recordOf(manifest: SnapshotManifest, bytes: Buffer): SnapshotRecord {
  const { id, seq, lineage, createdAt, trigger, objects, signature, encryption } = manifest;
  return {
    id,
    seq,
    lineage,
    createdAt,
    startedAt: createdAt,
    finishedAt: createdAt,
    trigger,
    manifest: hashOf(bytes),
    signed: signature !== undefined,
    encrypted: encryption !== undefined,
    objects: objects.length,
    bytes: bytesOf(manifest),
    newBytes: 0,
  };
}

/** Of all objects, before encryption. */
export function bytesOf({ objects }: Pick<SnapshotManifest, 'objects'>): number {
  return objects.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** The blobs of `backups/` that a snapshot needs; that of its manifest (`history.manifestBlob`) is not among them. */
export function storedNames({ objects }: Pick<SnapshotManifest, 'objects'>): ReadonlySet<BlobName> {
  return new Set(objects.map(({ stored }) => stored));
}

function readable(bytes: Buffer): SnapshotManifest | undefined {
  try {
    return readManifest(bytes);
  } catch (error) {
    if (hasCode(error, 'SNAPSHOT_DAMAGED', 'SNAPSHOT_NEWER')) return undefined;
    throw error;
  }
}

/** @throws SnapshotDamaged beyond what a manifest may have: others write here too */
async function bounded(source: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > MAX_MANIFEST_BYTES) throw new SnapshotDamaged('The manifest', `it has more than ${MAX_MANIFEST_BYTES} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks);
}

/** Stops at once where more comes than was declared. @throws SnapshotDamaged */
async function* exactly(source: AsyncIterable<unknown>, path: string, declared: number): AsyncIterable<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > declared) throw new SnapshotDamaged(`The object ${path}`, `it has more than ${declared} bytes`);
    yield chunk as Uint8Array;
  }
  if (bytes < declared) throw new SnapshotDamaged(`The object ${path}`, `it has ${bytes} bytes, not ${declared}`);
}

async function* checked(source: AsyncIterable<Uint8Array>, { path, sha256 }: SnapshotObject): AsyncIterable<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest('hex') !== sha256) throw new SnapshotDamaged(`The object ${path}`, 'its bytes are not those that were stored');
}
