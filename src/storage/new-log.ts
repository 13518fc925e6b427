import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../errors/has-code';
import { DurableFiles } from './durable-files';
import { CommitUncertain, LogExists } from './storage.errors';

/** So many files at a time: while one waits for the disk to confirm it, others are written. */
const LANES = 16;

/**
 * Makes a whole log the log of a folder that has none, in one step: until then there is nothing, and from then on all of it.
 * @param root the folder; made where it is missing
 * @param events the stored bytes of events 1, 2, 3 …
 * @throws LogExists where there are events already; NoSpace; CommitUncertain where it is the log, but may not survive a power cut
 */
export async function createLog(root: string, events: AsyncIterable<Uint8Array>): Promise<void> {
  const files = new DurableFiles(root);
  await files.guard(async () => {
    const made = await mkdir(files.root, { recursive: true });
    const staged = await files.freshPath();
    await mkdir(staged);
    try {
      const last = await fill(staged, events, files);
      await files.flushFolder(staged);
      await rename(staged, join(files.root, 'log')).catch((error: unknown) => {
        throw hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR') ? new LogExists(files.root, { cause: error }) : error;
      });
      await confirm(files, made).catch((error: unknown) => {
        throw new CommitUncertain(last, { cause: error });
      });
    } finally {
      await rm(staged, { recursive: true, force: true }).catch(() => {}); // a sweep takes what stays; a log that has its name stands
    }
  });
}

/** @returns the number of the last event */
async function fill(folder: string, events: AsyncIterable<Uint8Array>, files: DurableFiles): Promise<number> {
  let seq = 0;
  let batch: Uint8Array[] = [];
  const flush = async (): Promise<void> => {
    await Promise.all(batch.map((bytes, at) => write(join(folder, `${String(seq + at + 1).padStart(20, '0')}.json`), bytes, files)));
    seq += batch.length;
    batch = [];
  };
  for await (const bytes of events) {
    batch.push(bytes);
    if (batch.length === LANES) await flush();
  }
  await flush();
  return seq;
}

async function write(path: string, bytes: Uint8Array, files: DurableFiles): Promise<void> {
  const file = await open(path, 'wx', 0o444);
  try {
    await file.writeFile(bytes);
    await files.flush(file);
  } finally {
    await file.close();
  }
}

/** Makes the log's name survive. @param made the first folder that was made, of those above it */
async function confirm(files: DurableFiles, made: string | undefined): Promise<void> {
  await files.flushFolder(files.root);
  if (made === undefined) return;
  for (let folder = files.root; folder.length >= made.length; folder = join(folder, '..')) await files.flushFolder(join(folder, '..'));
}
