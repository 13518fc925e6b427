import { AppError } from '../../errors/app-error';
import { hasCode } from '../../errors/has-code';

/** The steps of taking a snapshot, in their order; it is there with the last one. */
export const TAKING = ['preparing', 'reading', 'copying', 'describing', 'committing'] as const;

/** A step of taking a snapshot. */
export type TakingPhase = (typeof TAKING)[number];

/** Why something was not done, for programs. docs/BACKUP.md says what to do about each. */
export const REASONS = [
  'aborted',
  'disk',
  'key',
  'no-space',
  'registry-damaged',
  'registry-empty',
  'registry-moving',
  'registry-newer',
  'repository-damaged',
  'uncertain',
  'unforeseen',
] as const;

/** Why something was not done. */
export type Reason = (typeof REASONS)[number];

/** How far it came, why it did not come further, and what that is about. */
export interface Failure {
  readonly phase: TakingPhase;
  readonly reason: Reason;
  /** One sentence. */
  readonly detail: string;
  /** The disk's own code, where it is the disk. */
  readonly errno?: string;
  /** The objects that it is about: paths in a registry, or in `backups/`. Empty where it is about none. */
  readonly objects: readonly string[];
}

/** A reason that the work itself finds; what the disk says is found by `failureOf`. */
export class Refusal extends Error {
  constructor(
    readonly reason: Reason,
    message: string,
    readonly objects: readonly string[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What an error means. @param object what was being worked on */
export function failureOf(error: unknown, phase: TakingPhase, object?: string): Failure {
  const about = { phase, objects: object === undefined ? [] : [object] };
  if (error instanceof Refusal) {
    return { phase, reason: error.reason, detail: error.message, objects: error.objects.length > 0 ? error.objects : about.objects };
  }
  const reason = reasonOf(error, phase);
  const errno = errnoOf(error);
  return { ...about, reason, detail: messageOf(error), ...(errno !== undefined && { errno }) };
}

function reasonOf(error: unknown, phase: TakingPhase): Reason {
  if (hasCode(error, 'NO_SPACE', 'ENOSPC', 'EDQUOT')) return 'no-space';
  if (hasCode(error, 'COMMIT_UNCERTAIN')) return 'uncertain';
  if (hasCode(error, 'LOG_DAMAGED')) return phase === 'reading' || phase === 'copying' ? 'registry-damaged' : 'repository-damaged';
  if (hasCode(error, 'SNAPSHOT_DAMAGED', 'SNAPSHOT_NEWER', 'SNAPSHOT_FORGED')) return 'repository-damaged';
  if (hasCode(error, 'BACKUP_KEY_WRONG', 'BACKUP_KEY_REFUSED')) return 'key';
  if (hasCode(error, 'ABORT_ERR') || (error as Error | undefined)?.name === 'AbortError') return 'aborted';
  return errnoOf(error) === undefined ? 'unforeseen' : 'disk';
}

/** @returns the code of the system call that failed, here or below */
function errnoOf(error: unknown): string | undefined {
  for (let at = error; typeof at === 'object' && at !== null; at = (at as Error).cause) {
    if ('syscall' in at && 'code' in at) return String(at.code);
  }
  return undefined;
}

function messageOf(error: unknown): string {
  if (error instanceof AppError) return error.message;
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}
