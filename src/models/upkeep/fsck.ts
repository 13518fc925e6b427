import { isDeepStrictEqual } from 'node:util';
import { AppError } from '../../errors/app-error';
import type { BlobName, BlobStore } from '../../storage/blob-store.port';
import { type Checkpoint, type EventLog, LOG_START } from '../../storage/event-log.port';
import { checkpointNumbers, oddments } from '../../storage/folder-inventory';
import { openStorage } from '../../storage/open-storage';
import { BlobMissing, LogDamaged } from '../../storage/storage.errors';
import type { RegistrySnapshot } from '../registry/registry-snapshot';
import { restoredBy } from '../registry/restored-models';
import { RegistryState } from '../registry/registry-state';

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

/** The log as far as it can be read. */
interface Fold {
  readonly state: RegistryState;
  /** What the checkpoints of these numbers should say. */
  readonly expected: Map<number, Checkpoint>;
  /** Whether every event was read and understood: else nobody can say what is not needed. */
  whole: boolean;
}

/**
 * Checks every promise of a registry's folder: the whole chain of events, the bytes of every blob, checkpoints against the fold of the
 * log, and what lies about.
 * @param repair mends what can be mended by adding: a lost blob whose bytes lie elsewhere in the folder, a checkpoint that cannot be
 *   trusted. Nothing is ever taken away
 */
export async function* fsck(root: string, repair: boolean): AsyncIterable<Finding> {
  const storage = openStorage(root);
  // before the log: a server that runs beside this may write more of both
  const kept = new Map<number, Checkpoint | undefined>((await checkpointNumbers(root)).map((seq) => [seq, undefined]));
  for await (const checkpoint of storage.checkpoints.newestFirst()) kept.set(checkpoint.position.seq, checkpoint);
  const fold: Fold = { state: new RegistryState(), expected: new Map(), whole: true };
  yield* checkLog(storage, fold, kept);
  yield* checkCheckpoints(storage.checkpoints, kept, fold, repair);
  yield* checkBlobs(storage.blobs, fold, repair);
  for await (const { kind, path } of oddments(root)) yield NOTES[kind](path);
}

const NOTES = {
  foreign: (path: string): Finding => note('FOREIGN_FILE', path, 'nothing of this registry; it is passed over'),
  left: (path: string): Finding => note('STAGING_LEFT', path, 'of an upload whose process is gone; the next start takes it away'),
  quarantined: (path: string): Finding => note('QUARANTINED', path, 'damaged bytes that were replaced by good ones, kept for you'),
};

async function* checkLog(
  { log, blobs }: { readonly log: EventLog; readonly blobs: BlobStore },
  fold: Fold,
  wanted: ReadonlyMap<number, unknown>,
): AsyncIterable<Finding> {
  const { state, expected } = fold;
  try {
    for await (const entry of log.read(LOG_START)) {
      state.apply(entry, await restoredBy(entry.event, blobs, (digest) => state.blobName(digest)));
      const { position } = entry;
      if (wanted.has(position.seq) && state.foreign === undefined) expected.set(position.seq, { position, state: plain(state.snapshot()) });
    }
  } catch (error) {
    const reason = diskReason(error);
    if (!(error instanceof LogDamaged) && reason === undefined) throw error;
    fold.whole = false;
    yield fatal('LOG_DAMAGED', state.position.seq + 1, reason ?? (error as Error).message);
  }
  const { foreign } = state;
  if (foreign === undefined) return;
  fold.whole = false;
  const detail = `of the kind "${foreign.kind}", which a newer version of the service wrote; what follows is checked as far as this one understands it`;
  yield fatal('LOG_NEWER', foreign.seq, detail);
}

async function* checkCheckpoints(
  files: ReturnType<typeof openStorage>['checkpoints'],
  kept: ReadonlyMap<number, Checkpoint | undefined>,
  { state, expected, whole }: Fold,
  repair: boolean,
): AsyncIterable<Finding> {
  for (const [seq, is] of kept) {
    const should = expected.get(seq);
    // of what this version cannot read or understand, it cannot say what a checkpoint should be
    if (!whole && should === undefined) continue;
    if (is !== undefined && is.position.hash !== should?.position.hash && (is.state as RegistrySnapshot).lineage === state.lineage) {
      const { seq: end } = state.position;
      const detail = seq > end ? `It is missing: the log ends at ${end}` : 'It was another one';
      yield fatal('LOG_DAMAGED', Math.min(seq, end + 1), `${detail}, but there is a checkpoint that was made of event ${seq}`);
      continue;
    }
    const fault = faultOf(is, should);
    if (fault === undefined) continue;
    const mend = repair && should !== undefined;
    if (mend) await files.write(should);
    yield note('CHECKPOINT_UNTRUSTED', `checkpoint ${seq}`, fault, mend ? 'written again from the events' : undefined);
  }
}

/** @returns why a checkpoint is not what it should be, `undefined` where it is */
function faultOf(is: Checkpoint | undefined, should: Checkpoint | undefined): string | undefined {
  if (is === undefined) return 'it is damaged, or of another form, and passed over';
  if (is.position.hash !== should?.position.hash) return 'it is of another history, and passed over';
  return isDeepStrictEqual(is, should) ? undefined : 'it says something else than the events';
}

async function* checkBlobs(blobs: BlobStore, { state, whole }: Fold, repair: boolean): AsyncIterable<Finding> {
  const users = usersOf(state);
  const deleted = state.referenced(); // what may come back is needed by nobody, and no orphan either
  const good = new Set<BlobName>();
  const damaged = new Set<BlobName>();
  for await (const { name } of blobs.list()) {
    const sound = await verified(blobs, name);
    if (sound === true) good.add(name);
    if (sound === false) damaged.add(name);
  }
  for (const [name, versions] of users) {
    if (good.has(name)) continue;
    const what = damaged.has(name) ? 'its bytes are not what its name promises' : 'it is not there';
    const source = repair ? [...good].find((other) => other.slice(0, 64) === name.slice(0, 64)) : undefined;
    const outcome = source === undefined ? {} : await rewrite(blobs, source, name);
    const detail = `${what}; needed by ${versions.join(', ')}${outcome.refused ?? ''}`;
    const code = damaged.has(name) ? 'BLOB_DAMAGED' : 'BLOB_MISSING';
    yield { code, severity: 'damage', subject: name, detail, ...(outcome.repaired !== undefined && { repaired: outcome.repaired }) };
  }
  const unused = whole ? 'no version needs it' : 'no version is known to need it';
  for (const name of damaged) {
    if (!users.has(name)) yield note('BLOB_DAMAGED', name, `its bytes are not what its name promises; ${unused}`);
  }
  // what an event that cannot be read says may need any of them
  for (const name of whole ? good : []) {
    if (!users.has(name) && !deleted.has(name)) yield note('BLOB_ORPHANED', name, 'no version needs it; a collection takes it away');
  }
}

function usersOf(state: RegistryState): ReadonlyMap<BlobName, readonly string[]> {
  const users = new Map<BlobName, string[]>();
  for (const { name, versions } of state.list()) {
    for (const { blobs, version } of versions.values()) {
      for (const blob of blobs) users.set(blob, [...(users.get(blob) ?? []), `${name} ${version}`]);
    }
  }
  for (const blob of state.restoredStates.keys()) users.set(blob, [...(users.get(blob) ?? []), 'an event that restores it']);
  return users;
}

/** @returns whether the bytes are good; `undefined` where the blob is gone: a server that runs may have collected it */
async function verified(blobs: BlobStore, name: BlobName): Promise<boolean | undefined> {
  try {
    return await blobs.verify(name);
  } catch (error) {
    if (error instanceof BlobMissing) return undefined;
    throw error;
  }
}

async function rewrite(
  blobs: BlobStore,
  source: BlobName,
  name: BlobName,
): Promise<{ readonly repaired?: string; readonly refused?: string }> {
  try {
    const staged = await blobs.stage(blobs.read(source), Number.MAX_SAFE_INTEGER);
    try {
      await blobs.put(staged, name);
      return { repaired: `written again from ${source}` };
    } finally {
      await staged.discard();
    }
  } catch (error) {
    const reason = error instanceof AppError ? error.message : diskReason(error);
    if (reason === undefined) throw error;
    return { refused: `; it could not be written again from ${source}: ${reason}` };
  }
}

/** @returns what the disk said, `undefined` for any other error */
function diskReason(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'syscall' in error ? (error as unknown as Error).message : undefined;
}

/** As it comes out of a file. */
function plain(snapshot: RegistrySnapshot): unknown {
  return JSON.parse(JSON.stringify(snapshot));
}

function fatal(code: string, event: number, detail: string): Finding {
  return { code, severity: 'fatal', subject: `event ${event}`, detail };
}

function note(code: string, subject: string, detail: string, repaired?: string): Finding {
  return { code, severity: 'note', subject, detail, ...(repaired !== undefined && { repaired }) };
}
