import { isAbsolute, relative, resolve, sep } from 'node:path';
import { AppError } from '../../errors/app-error';
import { hasCode } from '../../errors/has-code';
import { RestoreDamaged } from '../restore/restore.errors';
import type { DrillFailure, DrillPhase, DrillReason } from './drill-report';

/** What the errors of other rooms mean here. */
const BY_CODE: Readonly<Record<string, DrillReason>> = {
  BACKUP_KEY_REFUSED: 'key',
  BACKUP_KEY_WRONG: 'key',
  BLOB_MISSING: 'missing',
  COMMIT_UNCERTAIN: 'disk',
  EDQUOT: 'no-space',
  ENGINE_CRASHED: 'engine-crashed',
  ENGINE_DEADLINE_EXCEEDED: 'engine-deadline',
  ENGINE_UNAVAILABLE: 'engine-unavailable',
  ENOSPC: 'no-space',
  GOLDEN_DEVIATION: 'golden-mismatch',
  GOLDEN_MISMATCH: 'golden-mismatch',
  INFERENCE_FAILED: 'model-refused',
  INVALID_VALUE: 'golden-mismatch',
  LOG_DAMAGED: 'repository-damaged',
  METADATA_MISMATCH: 'golden-mismatch',
  MODEL_DAMAGED: 'digest',
  MODEL_QUARANTINED: 'engine-crashed',
  MODEL_REFUSED: 'model-refused',
  NO_SPACE: 'no-space',
  NUMBER_NOT_REPRESENTABLE: 'golden-mismatch',
  RESTORE_DAMAGED: 'damaged',
  SNAPSHOT_DAMAGED: 'damaged',
  SNAPSHOT_FORGED: 'signature',
  SNAPSHOT_NEWER: 'newer',
  SNAPSHOT_UNSIGNED: 'unsigned',
};

const MAX_DETAIL = 1000;

/** A reason that the drill itself finds. */
export class DrillRefusal extends Error {
  constructor(
    readonly reason: DrillReason,
    message: string,
    readonly objects: readonly string[] = [],
  ) {
    super(message);
  }
}

/**
 * What an error means.
 * @param objects what was being worked on, where that is known
 * @param folder that of the snapshots: what cannot be read there is the fault of the snapshot
 */
export function drillFailureOf(error: unknown, phase: DrillPhase, folder: string, objects: readonly string[] = []): DrillFailure {
  const detail = detailOf(error).slice(0, MAX_DETAIL);
  if (error instanceof DrillRefusal) return { phase, reason: error.reason, detail, objects: error.objects };
  const code = Object.keys(BY_CODE).find((each) => hasCode(error, each));
  const path = pathOf(error, folder);
  const known = code === undefined ? undefined : BY_CODE[code];
  const about = error instanceof RestoreDamaged ? error.damaged.map((object) => object.path) : objects;
  if (known !== undefined) return { phase, reason: known, detail, objects: about };
  if ((error as Error | undefined)?.name === 'AbortError') return { phase, reason: 'aborted', detail, objects };
  if (path !== undefined) return { phase, reason: 'unreadable', detail, objects: [path] };
  const ofDisk = typeof error === 'object' && error !== null && 'syscall' in error;
  return { phase, reason: ofDisk ? 'disk' : 'unforeseen', detail, objects };
}

/** @returns where it lies in the folder, but for what is being made there */
function pathOf(error: unknown, folder: string): string | undefined {
  const { path, syscall } = error as { readonly path?: unknown; readonly syscall?: unknown };
  if (typeof path !== 'string' || syscall === undefined) return undefined;
  const inside = relative(resolve(folder), resolve(path));
  return isAbsolute(inside) || inside.startsWith('..') || inside.split(sep)[0] === '.staging' ? undefined : inside;
}

function detailOf(error: unknown): string {
  if (hasCode(error, 'GOLDEN_DEVIATION') && error instanceof AppError) {
    const { field, expected, actual } = error.details;
    return `it does not answer what ${field} says: expected ${expected}, actual ${actual}`;
  }
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}
