import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../errors/has-code';
import { isGone, ownerOf } from './staging-owner';

/** What a sweep took away. */
export interface Sweep {
  readonly files: number;
  readonly bytes: number;
}

/**
 * Takes away what uploads left behind: files of processes that are gone, and any that nobody has written to for `maxAgeMs`.
 * @param root the folder that holds `.staging/`
 */
export async function sweepStaging(root: string, maxAgeMs: number): Promise<Sweep> {
  const folder = join(root, '.staging');
  let files = 0;
  let bytes = 0;
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    const found = await lstat(path).catch(ignoreMissing);
    const owner = ownerOf(name);
    const old = found !== undefined && Date.now() - found.mtimeMs > maxAgeMs;
    if (found === undefined || !(old || (owner !== undefined && isGone(owner)))) continue;
    await rm(path, { recursive: true, force: true });
    files++;
    bytes += found.size;
  }
  return { files, bytes };
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch(ignoreMissing)) ?? [];
}

function ignoreMissing(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error;
}
