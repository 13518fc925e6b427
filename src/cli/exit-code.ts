import { SnapshotFailed } from '../backup/snapshot/snapshot.errors';
import { AppError } from '../errors/app-error';
import { EXIT, type ExitCode, Interrupted, NothingThere, WrongUsage } from './command';

/** What an error of the house means for whoever runs a command; every other one is 1. */
const BY_CODE: Readonly<Record<string, ExitCode>> = {
  SNAPSHOT_DAMAGED: EXIT.partial,
  SNAPSHOT_FORGED: EXIT.partial,
  RESTORE_DAMAGED: EXIT.partial,
  SNAPSHOT_UNSIGNED: EXIT.key,
  BACKUP_KEY_WRONG: EXIT.key,
  BACKUP_KEY_REFUSED: EXIT.key,
};

/** What it means why no snapshot was taken; everything else is 1. */
const BY_REASON: Readonly<Record<string, ExitCode>> = { key: EXIT.key, 'registry-empty': EXIT.noRepository, aborted: EXIT.interrupted };

/** From a trifle to what hides all else. */
const SEVERITY: readonly ExitCode[] = [EXIT.ok, EXIT.partial, EXIT.error, EXIT.noRepository, EXIT.key, EXIT.usage, EXIT.interrupted];

/** The exit code for an error that ended a command. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof WrongUsage) return EXIT.usage;
  if (error instanceof NothingThere) return EXIT.noRepository;
  if (error instanceof SnapshotFailed) return BY_REASON[error.failure.reason] ?? EXIT.error;
  if (error instanceof Interrupted || (error as Error).name === 'AbortError') return EXIT.interrupted;
  return error instanceof AppError ? (BY_CODE[error.code] ?? EXIT.error) : EXIT.error;
}

/** The one that counts where a command had several outcomes. */
export function mostSevere(codes: Iterable<ExitCode>): ExitCode {
  return [...codes].reduce((worst, code) => (SEVERITY.indexOf(code) > SEVERITY.indexOf(worst) ? code : worst), EXIT.ok as ExitCode);
}
