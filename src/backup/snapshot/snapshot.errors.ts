import { AppError } from '../../errors/app-error';
import type { Failure } from './snapshot-failure';

/** There is no snapshot of this id. */
export class SnapshotNotFound extends AppError {
  readonly code = 'SNAPSHOT_NOT_FOUND';
  readonly kind = 'not-found' as const;
  constructor(id: string) {
    super(`There is no snapshot "${id}"`);
  }
}

/** A snapshot was not finished; those that were there stay. */
export class SnapshotFailed extends AppError {
  readonly code = 'SNAPSHOT_FAILED';
  readonly kind = 'internal' as const;
  constructor(
    readonly failure: Failure,
    options?: ErrorOptions,
  ) {
    super(`The snapshot was not finished: ${failure.detail}`, { actual: failure.reason }, options);
  }
}

/** The volume of the snapshots is full, or its quota is used up. */
export class SnapshotNoSpace extends AppError {
  readonly code = 'SNAPSHOT_NO_SPACE';
  readonly kind = 'no-space' as const;
  constructor(
    readonly failure: Failure,
    options?: ErrorOptions,
  ) {
    super('The volume of the snapshots is full; the snapshots that were there stay', { actual: failure.reason }, options);
  }
}

/** What a snapshot needs is not there, or is not what was stored. */
export class SnapshotDamaged extends AppError {
  readonly code = 'SNAPSHOT_DAMAGED';
  readonly kind = 'internal' as const;
  constructor(what: string, reason: string, options?: ErrorOptions) {
    super(`${what} of a snapshot cannot be trusted: ${reason}`, { actual: reason }, options);
  }
}

/** A newer version of the service wrote a snapshot. */
export class SnapshotNewer extends AppError {
  readonly code = 'SNAPSHOT_NEWER';
  readonly kind = 'unsupported' as const;
  constructor(found: string, known: string) {
    super(`A newer version of the service wrote this snapshot: ${found}. Upgrade to read it`, { expected: known, actual: found });
  }
}

/** The signature of a snapshot is not that of its manifest: somebody changed it who does not have the key. */
export class SnapshotForged extends AppError {
  readonly code = 'SNAPSHOT_FORGED';
  readonly kind = 'unprocessable' as const;
  constructor(id: string) {
    super(`The manifest of "${id}" is not what was signed with this key: it was changed`);
  }
}

/** A snapshot is not signed, though there is a key. */
export class SnapshotUnsigned extends AppError {
  readonly code = 'SNAPSHOT_UNSIGNED';
  readonly kind = 'conflict' as const;
  constructor(id: string) {
    super(`The snapshot "${id}" is not signed: nobody can say whether it was changed`, {
      expected: 'a signature, as BACKUP_KEY_FILE is set; or allowUnsigned, for a snapshot that is older than the key',
      actual: 'none',
    });
  }
}

/** The key is not the one that a snapshot was signed or encrypted with, or there is none. */
export class BackupKeyWrong extends AppError {
  readonly code = 'BACKUP_KEY_WRONG';
  readonly kind = 'conflict' as const;
  constructor(wanted: string, given: string | undefined) {
    super(`BACKUP_KEY_FILE ${given === undefined ? 'is not set' : 'has another key'}: this needs the key ${wanted}`, {
      expected: `the key ${wanted}`,
      actual: given === undefined ? 'no key' : `the key ${given}`,
    });
  }
}

/** The file of the key cannot be used. */
export class BackupKeyRefused extends AppError {
  readonly code = 'BACKUP_KEY_REFUSED';
  readonly kind = 'unavailable' as const;
  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(`BACKUP_KEY_FILE=${path}: ${reason}`, { actual: reason }, options);
  }
}
