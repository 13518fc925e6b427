import { mkdir, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { StorageConfig } from '../config/app-config';
import { hasCode } from '../errors/has-code';
import { NoSpace } from './storage.errors';

const GIB = 2 ** 30;

/** How full a volume is, in bytes: what an ordinary user may still write (`bavail`), and its size. */
export interface Volume {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** The volume that a folder lies on, or would lie on where it is not there yet. @throws the error of the disk */
export async function volumeOf(folder: string): Promise<Volume> {
  try {
    return await measured(folder);
  } catch (error) {
    if (!hasCode(error, 'ENOENT') || dirname(folder) === folder) throw error;
    return volumeOf(dirname(folder));
  }
}

async function measured(folder: string): Promise<Volume> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/** What a setting says must stay free. */
export function minFreeOf({ minFreeBytes }: StorageConfig): number | 'auto' {
  return minFreeBytes === 'auto' ? 'auto' : Number(minFreeBytes);
}

/** Keeps uploads from filling a volume: others live on it, and so does the log of this registry. */
export class FreeSpace {
  private promised = 0;

  /** @param minFreeBytes what must stay free; `auto`: the smaller of 1 GiB and 10 % of the volume */
  constructor(
    private readonly root: string,
    private readonly minFreeBytes: number | 'auto',
  ) {}

  /** @param bytes what shall be written @throws NoSpace where less than the minimum would stay free */
  async require(bytes: number): Promise<void> {
    if (this.minFreeBytes === 0) return; // the disk itself says when it is full
    const { freeBytes, totalBytes } = await this.volume();
    const kept = this.minFreeBytes === 'auto' ? Math.min(GIB, totalBytes / 10) : this.minFreeBytes;
    if (freeBytes - bytes < kept) throw new NoSpace();
  }

  /**
   * Promises room for the next bytes of one of many writers: what others were promised and have not written yet is counted too.
   * @returns gives the promise back, kept or not @throws NoSpace
   */
  async promise(bytes: number): Promise<() => void> {
    this.promised += bytes;
    try {
      await this.require(this.promised);
    } catch (error) {
      this.promised -= bytes;
      throw error;
    }
    return () => void (this.promised -= bytes);
  }

  /** Makes the folder where it is not there yet. */
  async volume(): Promise<Volume> {
    return measured(this.root).catch(async (error: unknown) => {
      if (!hasCode(error, 'ENOENT')) throw error;
      await mkdir(this.root, { recursive: true });
      return measured(this.root);
    });
  }
}
