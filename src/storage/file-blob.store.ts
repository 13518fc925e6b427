import { createHash } from 'node:crypto';
import { access, type FileHandle, link, lstat, lutimes, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { hasCode } from '../errors/has-code';
import { type BlobInfo, type BlobName, BlobStore, type ListedBlob, type LocalBlob, LOST, type StagedBlob } from './blob-store.port';
import { discardFile, DurableFiles } from './durable-files';
import { FreeSpace } from './free-space';
import { piecesOf } from './pieces';
import { openRegular } from './regular-file';
import type { StorageMetrics } from './storage.metrics';
import { BlobMissing, SourceTooLarge } from './storage.errors';

/** How much of an upload may arrive before the free space is looked at again: promised to it before, as others write too. */
const PROMISED_BYTES = 2 ** 20;
const BLOB_NAME = /^[0-9a-f]{64}(\.[0-9]+)?$/;
const PREFIX = /^[0-9a-f]{2}$/;

/** Blobs as files: `blobs/sha256/<2 hex>/<name>`, mode 0444. Damaged ones are kept in `.quarantine/`. */
export class FileBlobStore extends BlobStore {
  private readonly files: DurableFiles;
  private readonly root: string;
  private readonly space: FreeSpace;

  /** @param minFreeBytes what uploads must leave free on the volume; default 0 */
  constructor(root: string, minFreeBytes: number | 'auto' = 0, metrics?: StorageMetrics) {
    super();
    this.files = new DurableFiles(root, metrics);
    this.space = new FreeSpace(root, minFreeBytes);
    this.root = this.files.root;
  }

  stage(source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<StagedBlob> {
    return this.files.guard(() => this.receive(source, maxBytes));
  }

  put(staged: StagedBlob, name: BlobName = staged.digest): Promise<BlobInfo> {
    return this.files.guard(() => this.keep(staged, name));
  }

  retain(name: BlobName): Promise<StagedBlob> {
    return this.files.guard(() => this.hold(name));
  }

  async open(name: BlobName): Promise<Readable> {
    return (await this.opened(name)).createReadStream();
  }

  async *read(name: BlobName): AsyncIterable<Uint8Array> {
    const file = await this.opened(name);
    try {
      yield* piecesOf(file);
    } finally {
      await file.close();
    }
  }

  async local(name: BlobName): Promise<LocalBlob> {
    const path = this.pathOf(name);
    await access(path).catch((error: unknown) => this.missing(name, error));
    return { path, release: async () => {} };
  }

  async *list(): AsyncIterable<ListedBlob> {
    const folder = join(this.root, 'blobs', 'sha256');
    for (const prefix of await namesIn(folder)) {
      if (!PREFIX.test(prefix)) continue;
      for (const name of await namesIn(join(folder, prefix), 'ELOOP')) {
        if (!BLOB_NAME.test(name) || name.slice(0, 2) !== prefix) continue;
        const found = await lstat(this.pathOf(name)).catch((error: unknown) =>
          hasCode(error, 'ENOENT') ? undefined : Promise.reject(error),
        );
        if (found?.isFile()) yield { name, bytes: found.size, writtenAt: Math.floor(found.mtimeMs) };
      }
    }
  }

  async quarantine(name: BlobName): Promise<void> {
    const path = this.pathOf(name);
    const aside = await this.quarantinePath(name);
    await rename(path, aside).catch((error: unknown) => this.missing(name, error));
    await this.files.flushFolder(dirname(aside));
    await this.files.flushFolder(dirname(path));
  }

  async remove(name: BlobName): Promise<void> {
    if (BLOB_NAME.test(name)) await rm(this.pathOf(name), { force: true });
  }

  private async opened(name: BlobName): Promise<FileHandle> {
    const file = await openRegular(this.pathOf(name)).catch((error: unknown) => this.missing(name, error));
    if (file === undefined) throw new BlobMissing(name);
    return file;
  }

  private async receive(source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<StagedBlob> {
    let giveBack = await this.space.promise(PROMISED_BYTES);
    const path = await this.files.freshPath();
    const discard = () => discardFile(path);
    try {
      const file = await open(path, 'wx', 0o444);
      try {
        const hash = createHash('sha256');
        let bytes = 0;
        let promisedTo = PROMISED_BYTES;
        for await (const chunk of source) {
          bytes += chunk.length;
          if (bytes > maxBytes) throw new SourceTooLarge(maxBytes);
          if (bytes > promisedTo) {
            giveBack();
            giveBack = () => {};
            giveBack = await this.space.promise(PROMISED_BYTES + chunk.length);
            promisedTo = bytes + PROMISED_BYTES;
          }
          hash.update(chunk);
          await file.writeFile(chunk);
        }
        // flushed on the very descriptor that wrote: a failed write-back is reported to it, and perhaps to no other
        await this.files.flush(file);
        return { digest: hash.digest('hex'), bytes, path, discard };
      } finally {
        await file.close();
      }
    } catch (error) {
      await discard();
      throw error;
    } finally {
      giveBack();
    }
  }

  private async hold(name: BlobName): Promise<StagedBlob> {
    const path = await this.files.freshPath();
    // a second name first: what is read here is what stays
    await link(this.pathOf(name), path).catch((error: unknown) => this.missing(name, error));
    const discard = () => discardFile(path);
    try {
      const now = new Date();
      await lutimes(path, now, now); // else a sweep takes it at once for what was left behind long ago
      const { digest, bytes } = await digestOf(path, name);
      if (name.startsWith(digest)) return { digest, bytes, path, discard };
    } catch (error) {
      await discard();
      throw error;
    }
    await discard();
    throw new BlobMissing(name);
  }

  private async keep(staged: StagedBlob, name: BlobName): Promise<BlobInfo> {
    if (!name.startsWith(staged.digest)) throw new Error(`the bytes ${staged.digest} cannot be called ${name}`);
    const path = this.pathOf(name);
    while (!(await this.files.claim(staged.path, path)) && !(await this.mend(path, staged)));
    await this.files.flushFolder(dirname(path));
    return { name, bytes: staged.bytes };
  }

  /** Makes a taken name hold the staged bytes. @returns false where it is free again: a collector took away what was condemned */
  private async mend(path: string, staged: StagedBlob): Promise<boolean> {
    try {
      if (await this.holds(path, staged)) return true;
      if (!(await this.setAside(path))) return false;
      await this.files.replace(staged.path, path);
      return true;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
  }

  /** Whether the file has the staged bytes; if so they are flushed, as if this process had written them. */
  private async holds(path: string, staged: StagedBlob): Promise<boolean> {
    const file = await openRegular(path);
    if (file === undefined) return false;
    try {
      const { size } = await file.stat();
      if (size !== staged.bytes) return false;
      const hash = createHash('sha256');
      for await (const piece of piecesOf(file)) hash.update(piece);
      if (hash.digest('hex') !== staged.digest) return false;
      await this.files.flush(file);
      return true;
    } finally {
      await file.close();
    }
  }

  /**
   * Gives damaged bytes a second name in quarantine; their first name stays until good bytes take it.
   * @returns false where it is free now: a folder can only be moved
   */
  private async setAside(path: string): Promise<boolean> {
    const aside = await this.quarantinePath(basename(path));
    const isFolder = (await lstat(path)).isDirectory();
    if (isFolder) await rename(path, aside);
    else await this.files.claim(path, aside);
    await this.files.flushFolder(dirname(aside));
    return !isFolder;
  }

  private async quarantinePath(name: BlobName): Promise<string> {
    const folder = join(this.root, '.quarantine');
    await mkdir(folder, { recursive: true });
    return join(folder, `${name}-${Date.now()}`);
  }

  private pathOf(name: BlobName): string {
    if (!BLOB_NAME.test(name)) throw new BlobMissing(name);
    return join(this.root, 'blobs', 'sha256', name.slice(0, 2), name);
  }

  private missing(name: BlobName, error: unknown): never {
    throw hasCode(error, 'ENOENT') ? new BlobMissing(name, { cause: error }) : error;
  }
}

/** @throws BlobMissing where no regular file is there, or the disk has lost its bytes */
async function digestOf(path: string, name: BlobName): Promise<{ readonly digest: string; readonly bytes: number }> {
  const file = await openRegular(path);
  if (file === undefined) throw new BlobMissing(name);
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const piece of piecesOf(file)) {
      hash.update(piece);
      bytes += piece.length;
    }
  } catch (error) {
    throw hasCode(error, ...LOST) ? new BlobMissing(name, { cause: error }) : error;
  } finally {
    await file.close();
  }
  return { digest: hash.digest('hex'), bytes };
}

/** @param passedOver what else than nothing and a file may be there in place of the folder */
async function namesIn(folder: string, ...passedOver: readonly string[]): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', ...passedOver)) return [];
    throw error;
  }
}
