import { AppError, type ErrorDetails } from '../../errors/app-error';
import type { GoldenMismatch } from '../upload/upload.errors';

/** The model was changed since the caller looked at it: `If-Match` names a state that is gone. */
export class ModelChanged extends AppError {
  readonly code = 'MODEL_CHANGED';
  readonly kind = 'stale' as const;
  constructor(model: string, ifMatch: string, current: string) {
    super(`The model "${model}" was changed since: look at it again`, {
      field: 'If-Match',
      expected: current,
      actual: ifMatch.slice(0, 100),
    });
  }
}

/** The key of a request was used before, for another request. */
export class IdempotencyKeyReused extends AppError {
  readonly code = 'IDEMPOTENCY_KEY_REUSED';
  readonly kind = 'invalid' as const;
  constructor(before: string, now: string) {
    super('This Idempotency-Key was used for another request: take a new one', { field: 'Idempotency-Key', expected: before, actual: now });
  }
}

/** A promotion would break those who call the version that is in production now. */
export class SignatureChanged extends AppError {
  readonly code = 'SIGNATURE_CHANGED';
  readonly kind = 'conflict' as const;
  /** @param differences each with what it is about, what callers rely on, and what they would meet */
  constructor(model: string, version: number, present: number, differences: readonly Required<ErrorDetails>[]) {
    const [first] = differences as readonly [Required<ErrorDetails>];
    const told = differences.slice(0, 10).map(({ field, expected, actual }) => `${field}: ${expected} -> ${actual}`);
    super(
      `Version ${version} of "${model}" does not take over from version ${present}, whose callers it would break: ${told.join('; ')}. Promote it with "force": true if they know`,
      first,
    );
  }
}

/** A version that shall be promoted does not answer here what its golden rows say, though it did when it was uploaded. */
export class GoldenDeviation extends AppError {
  readonly code = 'GOLDEN_DEVIATION';
  readonly kind = 'conflict' as const;
  constructor(model: string, version: number, { details }: GoldenMismatch) {
    super(`Version ${version} of "${model}" does not answer on this machine what ${details.field} says: promote it with "force": true if that is right`, details); // prettier-ignore
  }
}

/** No version was in production before the one that is: there is nothing to go back to. */
export class NothingToRollBack extends AppError {
  readonly code = 'NOTHING_TO_ROLL_BACK';
  readonly kind = 'conflict' as const;
  constructor(model: string) {
    super(`No version of "${model}" was in production before`, { field: 'model', expected: 'a past production version', actual: 'none' });
  }
}

/** A version is not deleted while calls may need it: it is in production, an alias points at it, or a call runs on it. */
export class VersionInUse extends AppError {
  readonly code = 'VERSION_IN_USE';
  readonly kind = 'conflict' as const;
  constructor(model: string, version: number, use: string, remedy: string) {
    super(`Version ${version} of "${model}" is not deleted: ${use}. ${remedy}`, {
      field: 'version',
      expected: 'a version that nothing uses',
      actual: use,
    });
  }
}

/** What shall come back was not deleted. */
export class NotDeleted extends AppError {
  readonly code = 'NOT_DELETED';
  readonly kind = 'conflict' as const;
  constructor(model: string, version?: number) {
    const what = version === undefined ? `The model "${model}"` : `Version ${version} of "${model}"`;
    super(`${what} is not deleted`, { field: version === undefined ? 'model' : 'version' });
  }
}

/** What shall come back was deleted too long ago: its bytes are gone. */
export class BytesCollected extends AppError {
  readonly code = 'BYTES_COLLECTED';
  readonly kind = 'conflict' as const;
  constructor(model: string, versions: readonly number[]) {
    const listed = versions.slice(-20).join(', ');
    super(`The bytes of ${listed} of "${model}" were collected after it was deleted: upload it again`, {
      field: 'version',
      expected: 'a version whose files are still stored',
      actual: listed,
    });
  }
}
