import { isDeepStrictEqual } from 'node:util';
import type { BlobName, BlobStore } from '../storage/blob-store.port';
import { type Checkpoint, type EventLog, LOG_START } from '../storage/event-log.port';
import { checkpointNumbers, oddments } from '../storage/folder-inventory';
import { openStorage } from '../storage/open-storage';
import { BlobMissing, LogDamaged } from '../storage/storage.errors';
import { type RegistrySnapshot, RegistryState } from './registry-state';

/** How bad a finding is: `fatal`: the history itself; `damage`: versions; `note`: nothing that anybody was promised. */
export type Severity = 'fatal' | 'damage' | 'note';

/** Something that is not as it should be. */
export interface Finding {
  readonly code: string;
  readonly severity: Severity;
  /** What it is about: an event, a blob, a path. */
  readonly subject: string;
  readonly detail: string;
  /** What was done about it. */
  readonly repaired?: string;
}

/**
 * Checks every promise of a registry's folder: the whole chain of events, the bytes of every blob, checkpoints against the fold of the
 * log, and what lies about.
 * @param repair mends what can be mended by adding: a lost blob whose bytes lie elsewhere in the folder, a checkpoint that cannot be
 *   trusted. Nothing is ever taken away
 */
export async function* fsck(root: string, repair: boolean): AsyncIterable<Finding> {
  const { blobs, log } = openStorage(root);
  const state = new RegistryState();
  const snapshots = new Map<number, RegistrySnapshot>();
  yield* checkLog(log, state, new Set(await checkpointNumbers(root)), snapshots);
  yield* checkCheckpoints(log, state, snapshots, repair);
  yield* checkBlobs(blobs, state, repair);
  for await (const { kind, path } of oddments(root)) yield NOTES[kind](path);
}

const NOTES = {
  foreign: (path: string): Finding => note('FOREIGN_FILE', path, 'nothing of this registry; it is passed over'),
  left: (path: string): Finding => note('STAGING_LEFT', path, 'of an upload whose process is gone; the next start takes it away'),
  quarantined: (path: string): Finding => note('QUARANTINED', path, 'damaged bytes that were replaced by good ones, kept for you'),
};

async function* checkLog(
  log: EventLog,
  state: RegistryState,
  wanted: ReadonlySet<number>,
  snapshots: Map<number, RegistrySnapshot>,
): AsyncIterable<Finding> {
  try {
    for await (const entry of log.read(LOG_START)) {
      state.apply(entry);
      if (wanted.has(entry.position.seq)) snapshots.set(entry.position.seq, structuredClone(state.snapshot()));
    }
  } catch (error) {
    if (!(error instanceof LogDamaged)) throw error;
    yield { code: 'LOG_DAMAGED', severity: 'fatal', subject: `event ${state.position.seq + 1}`, detail: error.message };
  }
  const { foreign } = state;
  if (foreign === undefined) return;
  const detail = `of the kind "${foreign.kind}", which a newer version of the service wrote; what follows is checked as far as this one understands it`;
  yield { code: 'LOG_NEWER', severity: 'fatal', subject: `event ${foreign.seq}`, detail };
}

async function* checkCheckpoints(
  log: EventLog,
  state: RegistryState,
  snapshots: ReadonlyMap<number, RegistrySnapshot>,
  repair: boolean,
): AsyncIterable<Finding> {
  if (snapshots.size === 0) return;
  const newest = await log.newestCheckpoint();
  const latest = Math.max(...snapshots.keys());
  const trusted = newest?.position.seq === latest && agrees(newest, snapshots);
  if (trusted) return;
  const detail =
    newest?.position.seq === latest ? 'it says something else than the events' : 'it is damaged, or of another history; it is passed over';
  if (repair) await log.saveCheckpoint({ position: state.position, state: state.snapshot() });
  yield note('CHECKPOINT_UNTRUSTED', `checkpoint ${latest}`, detail, repair ? `checkpoint ${state.position.seq} written` : undefined);
}

function agrees({ position, state }: Checkpoint, snapshots: ReadonlyMap<number, RegistrySnapshot>): boolean {
  return isDeepStrictEqual(state, JSON.parse(JSON.stringify(snapshots.get(position.seq))));
}

async function* checkBlobs(blobs: BlobStore, state: RegistryState, repair: boolean): AsyncIterable<Finding> {
  const users = usersOf(state);
  const good = new Map<string, BlobName>();
  const bad: (readonly [BlobName, string])[] = [];
  const seen = new Set<BlobName>();
  for await (const { name } of blobs.list()) {
    seen.add(name);
    if (await blobs.verify(name)) good.set(name.slice(0, 64), name);
    else bad.push([name, 'its bytes are not what its name promises']);
  }
  for (const name of users.keys()) if (!seen.has(name)) bad.push([name, 'it is not there']);
  for (const [name, detail] of bad) {
    const needed = users.get(name);
    const source = good.get(name.slice(0, 64));
    const mended = repair && needed !== undefined && source !== undefined && (await rewrite(blobs, source, name));
    const code = seen.has(name) ? 'BLOB_DAMAGED' : 'BLOB_MISSING';
    const what = needed === undefined ? `${detail}; no version needs it` : `${detail}; needed by ${needed.join(', ')}`;
    if (needed === undefined) yield note(code, name, what);
    else yield { code, severity: 'damage', subject: name, detail: what, ...(mended && { repaired: `written again from ${source}` }) };
  }
  for (const name of good.values())
    if (!users.has(name)) yield note('BLOB_ORPHANED', name, 'no version needs it; a collection takes it away');
}

function usersOf(state: RegistryState): ReadonlyMap<BlobName, readonly string[]> {
  const users = new Map<BlobName, string[]>();
  for (const { name, versions } of state.list()) {
    for (const { blob, version } of versions.values()) users.set(blob, [...(users.get(blob) ?? []), `${name} ${version}`]);
  }
  return users;
}

async function rewrite(blobs: BlobStore, source: BlobName, name: BlobName): Promise<boolean> {
  const staged = await blobs.stage(await blobs.open(source), Number.MAX_SAFE_INTEGER);
  try {
    await blobs.put(staged, name);
    return true;
  } catch (error) {
    if (error instanceof BlobMissing) return false;
    throw error;
  } finally {
    await staged.discard();
  }
}

function note(code: string, subject: string, detail: string, repaired?: string): Finding {
  return { code, severity: 'note', subject, detail, ...(repaired !== undefined && { repaired }) };
}
