import { mkdir, statfs } from 'node:fs/promises';
import type { StorageConfig } from '../config/app-config';
import { hasCode } from '../errors/has-code';
import { NoSpace } from './storage.errors';

const GIB = 2 ** 30;

/** How full the volume is, in bytes. */
export interface Volume {
  readonly freeBytes: number;
  readonly totalBytes: number;
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

  /** What an ordinary user may still write (`bavail`), and the size of the volume. */
  async volume(): Promise<Volume> {
    const { bavail, blocks, bsize } = await statfs(this.root).catch(async (error: unknown) => {
      if (!hasCode(error, 'ENOENT')) throw error;
      await mkdir(this.root, { recursive: true });
      return statfs(this.root);
    });
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  }
}
