import { readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { ArchiveLimits, TakeFile } from '../../src/wire/archive/archive-intake';
import { readArchive } from '../../src/wire/archive/read-archive';

export const LIMITS: ArchiveLimits = { maxEntries: 10_000, maxBytes: 2 ** 26, maxFileBytes: 2 ** 26, maxRatio: 100, maxPathBytes: 255 };

/** A folder for archives that tests make. */
export class ArchiveFolder {
  private folder = '';
  private count = 0;

  async make(): Promise<void> {
    this.folder = await mkdtemp(join(tmpdir(), 'archive-'));
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  async write(bytes: Uint8Array): Promise<string> {
    const path = join(this.folder, `${this.count++}`);
    await writeFile(path, bytes);
    return path;
  }

  /** How many of the archives here are open. */
  open(): number {
    return openFiles(this.folder);
  }

  /** Reads an archive whole. @returns its files by path, in their order */
  async unpack(bytes: Uint8Array, limits: Partial<ArchiveLimits> = {}): Promise<Record<string, string>> {
    const files: Record<string, string> = {};
    const take: TakeFile = async ({ path, content }) => void (files[path] = (await buffer(content)).toString('latin1'));
    const path = await this.write(bytes);
    try {
      await readArchive(path, { ...LIMITS, ...limits }, take);
    } finally {
      await rm(path);
    }
    return files;
  }
}

/** How many descriptors this process has open whose target begins with `target`: those of jest itself come and go. */
export function openFiles(target: string): number {
  return readdirSync('/proc/self/fd').filter((descriptor) => targetOf(descriptor).startsWith(target)).length;
}

/** The descriptor through which the list was read is gone. */
function targetOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return '';
  }
}
