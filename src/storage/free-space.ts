import { mkdir, statfs } from 'node:fs/promises';
import { NoSpace } from './storage.errors';

const GIB = 2 ** 30;

/** How full the volume is, in bytes. */
export interface Volume {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Keeps uploads from filling a volume: others live on it, and so does the log of this registry. */
export class FreeSpace {
  /** @param minFreeBytes what must stay free; `auto`: the smaller of 1 GiB and 10 % of the volume */
  constructor(
    private readonly root: string,
    private readonly minFreeBytes: number | 'auto',
  ) {}

  /** @param bytes what shall be written @throws NoSpace where less than the minimum would stay free */
  async require(bytes: number): Promise<void> {
    const { freeBytes, totalBytes } = await this.volume();
    const kept = this.minFreeBytes === 'auto' ? Math.min(GIB, totalBytes / 10) : this.minFreeBytes;
    if (freeBytes - bytes < kept) throw new NoSpace();
  }

  /** What an ordinary user may still write (`bavail`), and the size of the volume. */
  async volume(): Promise<Volume> {
    await mkdir(this.root, { recursive: true });
    const { bavail, blocks, bsize } = await statfs(this.root);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  }
}
