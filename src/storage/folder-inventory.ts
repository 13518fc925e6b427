import { type Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../errors/has-code';
import { isGone, ownerOf } from './staging-owner';

/** Something in the folder of a registry that is neither a blob nor an event. */
export interface Oddment {
  /** `foreign`: nothing of ours; `left`: of an upload whose process is gone; `quarantined`: damaged bytes that were kept. */
  readonly kind: 'foreign' | 'left' | 'quarantined';
  /** From the root on. */
  readonly path: string;
}

const LOG_FILE = /^[0-9]{20}\.json$/;
const BLOB_FILE = /^[0-9a-f]{64}(\.[0-9]+)?$/;
const BLOB_FOLDER = /^[0-9a-f]{2}$/;

/** Whether there is a registry at all: a log with something in it. */
export async function holdsRegistry(root: string): Promise<boolean> {
  return (await entriesOf(join(root, 'log'))).some(({ name }) => LOG_FILE.test(name));
}

/** Numbers of the checkpoints that have a file, whether it can be trusted or not. */
export async function checkpointNumbers(root: string): Promise<readonly number[]> {
  const entries = await entriesOf(join(root, 'checkpoints'));
  return entries.filter((entry) => entry.isFile() && LOG_FILE.test(entry.name)).map(({ name }) => Number(name.slice(0, 20)));
}

/** What lies about. Reads names only, follows no link, takes nothing away. */
export async function* oddments(root: string): AsyncIterable<Oddment> {
  for (const folder of ['log', 'checkpoints']) yield* foreignIn(root, folder, LOG_FILE);
  const blobs = join('blobs', 'sha256');
  for (const entry of await entriesOf(join(root, blobs))) {
    if (entry.isDirectory() && BLOB_FOLDER.test(entry.name)) yield* foreignIn(root, join(blobs, entry.name), BLOB_FILE, entry.name);
    else yield { kind: 'foreign', path: join(blobs, entry.name) };
  }
  for (const { name } of await entriesOf(join(root, '.staging'))) {
    const owner = ownerOf(name);
    if (owner === undefined) yield { kind: 'foreign', path: join('.staging', name) };
    else if (isGone(owner)) yield { kind: 'left', path: join('.staging', name) };
  }
  for (const { name } of await entriesOf(join(root, '.quarantine'))) yield { kind: 'quarantined', path: join('.quarantine', name) };
}

async function* foreignIn(root: string, folder: string, ours: RegExp, prefix = ''): AsyncIterable<Oddment> {
  for (const entry of await entriesOf(join(root, folder))) {
    if (!entry.isFile() || !ours.test(entry.name) || !entry.name.startsWith(prefix))
      yield { kind: 'foreign', path: join(folder, entry.name) };
  }
}

async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  try {
    return (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}
