import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { BackupConfig } from '../../config/app-config';
import { hasCode } from '../../errors/has-code';
import type { BlobName, StagedBlob } from '../../storage/blob-store.port';
import { discardFile, DurableFiles } from '../../storage/durable-files';
import { readRegular } from '../../storage/regular-file';
import { sweepStaging } from '../../storage/staging-sweep';
import { BlobMissing } from '../../storage/storage.errors';
import { hashOf } from '../../storage/stored-event';
import type { BackupHistory } from './backup-history';
import { BackupRepository } from './backup-repository';
import { MAX_MANIFEST_BYTES, readManifest } from './read-manifest';
import type { SnapshotManifest } from './snapshot-manifest';
import { isSnapshotId, type SnapshotId } from './snapshot-records';
import { SnapshotDamaged, SnapshotNotFound } from './snapshot.errors';

const COPY = /^(.+)\.json$/;
const DAY_MS = 86_400_000;

/** What `snapshots/` holds of a snapshot. */
export interface PlainCopy {
  readonly manifest: SnapshotManifest;
  readonly sha256: string;
}

/** What snapshots hold, twice: a blob each that the log names, and a plain copy in `snapshots/` for people and rsync. */
@Injectable()
export class SnapshotManifests {
  private readonly files: DurableFiles;
  private readonly copies: string;

  constructor(
    private readonly repository: BackupRepository,
    config: BackupConfig,
  ) {
    this.files = new DurableFiles(config.backupsDir);
    this.copies = join(this.files.root, 'snapshots');
  }

  /**
   * From its blob, or where that is lost from its plain copy.
   * @param history where the log was read already
   * @throws SnapshotNotFound, SnapshotDamaged, SnapshotNewer
   */
  async of(id: SnapshotId, history?: BackupHistory): Promise<SnapshotManifest> {
    const told = history ?? (await this.repository.readable()).history;
    if (told.snapshots.has(id)) return this.trusted(id, told);
    const copy = await this.copyOf(id);
    if (copy === undefined) throw new SnapshotNotFound(id);
    return readManifest(copy);
  }

  /** Of a snapshot that the log names; the SHA-256 that the event has is checked. @throws SnapshotDamaged, SnapshotNewer */
  async trusted(id: SnapshotId, history: BackupHistory): Promise<SnapshotManifest> {
    const manifest = readManifest(await this.bytes(id, history));
    if (manifest.id !== id) throw new SnapshotDamaged('The manifest', `it is that of "${manifest.id}"`);
    return manifest;
  }

  /** What is wrong with the blob of a manifest that the log names. */
  async fault(id: SnapshotId, history: BackupHistory): Promise<'missing' | 'digest' | undefined> {
    const blob = await this.blobBytes(history.manifestBlob(id));
    if (blob === undefined) return 'missing';
    return hashOf(blob) === history.snapshots.get(id)?.manifest ? undefined : 'digest';
  }

  /** Plain copies of snapshots that the log does not name. */
  async unlogged({ snapshots }: BackupHistory): Promise<readonly PlainCopy[]> {
    const found: PlainCopy[] = [];
    for (const name of await this.copyNames()) {
      const [, id = ''] = COPY.exec(name) ?? [];
      if (!isSnapshotId(id) || snapshots.has(id)) continue;
      const bytes = await this.copyOf(id);
      const manifest = bytes && readable(bytes);
      if (manifest?.id === id) found.push({ manifest, sha256: hashOf(bytes as Buffer) });
    }
    return found;
  }

  /** Gives a manifest its plain copy: a second name of the same bytes. */
  async keepCopy(id: SnapshotId, staged: Pick<StagedBlob, 'path'>): Promise<void> {
    await this.files.guard(async () => {
      await this.files.claim(staged.path, this.pathOfCopy(id));
      await this.files.flushFolder(this.copies);
    });
  }

  /** Takes away what processes left that are gone, and plain copies of what is deleted; makes those again that are missing. */
  async tidy(): Promise<void> {
    await sweepStaging(this.files.root, DAY_MS);
    const history = await this.repository.history();
    const names = new Set(await this.copyNames());
    for (const { id, deleted } of history.snapshots.values()) {
      const name = `${id}.json`;
      if (deleted === undefined && !names.has(name)) await this.copyAgain(id, history);
      else if (deleted !== undefined && names.has(name)) await discardFile(this.pathOfCopy(id));
    }
  }

  /** What cannot be read is damaged, and shown so: no reason to take no snapshot. */
  private async copyAgain(id: SnapshotId, history: BackupHistory): Promise<void> {
    const bytes = await this.bytes(id, history).catch((error: unknown) => {
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

  private async bytes(id: SnapshotId, history: BackupHistory): Promise<Buffer> {
    const wanted = history.snapshots.get(id)?.manifest;
    const blob = await this.blobBytes(history.manifestBlob(id));
    if (blob !== undefined && hashOf(blob) === wanted) return blob;
    const copy = await this.copyOf(id);
    if (copy !== undefined && hashOf(copy) === wanted) return copy;
    throw new SnapshotDamaged('The manifest', blob === undefined ? 'it is missing' : 'its bytes are not those that were stored');
  }

  private async blobBytes(name: BlobName): Promise<Buffer | undefined> {
    try {
      return await bounded(await this.repository.blobs.open(name));
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
