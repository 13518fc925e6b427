import { AppError, type ErrorDetails } from '../errors/app-error';

/** A name or a number in a path, a query or a form is outside its grammar. */
export class InvalidName extends AppError {
  readonly code = 'INVALID_NAME';
  readonly kind = 'malformed' as const;
  constructor(field: string, expected: string, actual: string | undefined) {
    super(`${field} is not a valid name`, {
      field,
      expected,
      actual: actual === undefined ? 'missing' : JSON.stringify(actual.slice(0, 80)),
    });
  }
}

/** A form lacks a part that an upload needs. */
export class UploadIncomplete extends AppError {
  readonly code = 'UPLOAD_INCOMPLETE';
  readonly kind = 'malformed' as const;
  constructor(field: string, expected: string, actual: string) {
    super(`The upload lacks a usable part "${field}"`, { field, expected, actual });
  }
}

/** There is no model of this name; or there was one, and it is deleted. */
export class ModelNotFound extends AppError {
  readonly code = 'MODEL_NOT_FOUND';
  readonly kind = 'not-found' as const;
  /** @param at the moment of which a state was asked for, if not now */
  constructor(model: string, deletion?: { readonly at: string }, at?: string) {
    const when = at === undefined ? '' : ` at ${at}`;
    const text = deletion === undefined ? `There ${at === undefined ? 'is' : 'was'} no model "${model}"${when}` : `The model "${model}" was deleted at ${deletion.at}`; // prettier-ignore
    super(deletion !== undefined && at === undefined ? `${text}: undelete it, or upload a new one` : text, {
      field: 'model',
      actual: model,
    });
  }
}

/** The model has no version of this number; or it had one, and it is deleted. */
export class VersionNotFound extends AppError {
  readonly code = 'VERSION_NOT_FOUND';
  readonly kind = 'not-found' as const;
  constructor(model: string, version: number, known: readonly number[], deletion?: { readonly at: string }) {
    const text = deletion === undefined ? `The model "${model}" has no version ${version}` : `Version ${version} of "${model}" was deleted at ${deletion.at}: undelete it`; // prettier-ignore
    super(text, { field: 'version', expected: `one of ${listed(known)}`, actual: String(version) });
  }
}

/** No version of the model is in production, and none was asked for. */
export class NoProductionVersion extends AppError {
  readonly code = 'NO_PRODUCTION_VERSION';
  readonly kind = 'not-found' as const;
  constructor(model: string, known: readonly number[]) {
    super(`No version of "${model}" is in production: promote one, or ask for a version by its number`, {
      field: 'version',
      expected: `a version in production, or one of ${listed(known)} asked for`,
      actual: 'none',
    });
  }
}

/** The model has no alias of this name. */
export class AliasNotFound extends AppError {
  readonly code = 'ALIAS_NOT_FOUND';
  readonly kind = 'not-found' as const;
  constructor(model: string, alias: string, known: readonly string[]) {
    const expected = known.length === 0 ? 'production' : `one of ${['production', ...known.slice(0, 20)].join(', ')}`;
    super(`The model "${model}" has no alias "${alias}"`, { field: 'alias', expected, actual: alias });
  }
}

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

/** No version was in production before the one that is: there is nothing to go back to. */
export class NothingToRollBack extends AppError {
  readonly code = 'NOTHING_TO_ROLL_BACK';
  readonly kind = 'conflict' as const;
  constructor(model: string) {
    super(`No version of "${model}" was in production before`, { field: 'model', expected: 'a past production version', actual: 'none' });
  }
}

/** The version cannot be served; `actual` says why. */
export class ModelUnavailable extends AppError {
  readonly code = 'MODEL_UNAVAILABLE';
  readonly kind = 'unavailable' as const;
  constructor(model: string, version: number, reason: string) {
    super(`Version ${version} of "${model}" cannot be served: ${reason}`, { actual: reason });
  }
}

/** The asked-for number was given to another upload, or this upload has another number. */
export class VersionTaken extends AppError {
  readonly code = 'VERSION_TAKEN';
  readonly kind = 'conflict' as const;
  constructor(model: string, version: number) {
    super(`Version ${version} of "${model}" was given to another upload`, {
      field: 'version',
      expected: 'a number not given yet',
      actual: String(version),
    });
  }
}

/** The metadata of an upload contradicts the model. */
export class MetadataMismatch extends AppError {
  readonly code = 'METADATA_MISMATCH';
  readonly kind = 'invalid' as const;
  constructor(details: Required<ErrorDetails>) {
    super(`The metadata does not fit the model: ${details.field}`, details);
  }
}

function listed(versions: readonly number[]): string {
  return versions.length === 0 ? 'none' : versions.slice(-20).join(', ');
}

/** There is no room in memory for the version, and what is there cannot leave. */
export class ModelMemoryExceeded extends AppError {
  readonly code = 'MODEL_MEMORY_EXCEEDED';
  readonly kind = 'unavailable' as const;
  constructor(model: string, version: number, bytes: number, limitBytes: number) {
    const [needed, limit] = [bytes, limitBytes].map((size) => `${Math.ceil(size / 2 ** 20)} MB`) as [string, string];
    super(`Version ${version} of "${model}" takes ${needed} of memory, for which there is no room (MODEL_MEMORY_MB: ${limit})`, {
      expected: `at most ${limit} for all models that are in use or pinned`,
      actual: needed,
    });
  }
}

/** A model does not answer what its own golden rows say that it must. */
export class GoldenMismatch extends AppError {
  readonly code = 'GOLDEN_MISMATCH';
  readonly kind = 'invalid' as const;
  constructor(field: string, expected: string, actual: string) {
    super(`The model does not answer what ${field} says`, { field, expected, actual });
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
    super(`The bytes of ${listed(versions)} of "${model}" were collected after it was deleted: upload it again`, {
      field: 'version',
      expected: 'a version whose files are still stored',
      actual: listed(versions),
    });
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

/** The key of a request was used before, for another request. */
export class IdempotencyKeyReused extends AppError {
  readonly code = 'IDEMPOTENCY_KEY_REUSED';
  readonly kind = 'invalid' as const;
  constructor(before: string, now: string) {
    super('This Idempotency-Key was used for another request: take a new one', { field: 'Idempotency-Key', expected: before, actual: now });
  }
}

/** More uploads run than may at the same time. */
export class TooManyUploads extends AppError {
  readonly code = 'TOO_MANY_UPLOADS';
  readonly kind = 'overloaded' as const;
  readonly retryAfterSeconds = 5;
  constructor(limit: number, whose: string) {
    super(`${limit} uploads ${whose} run already`, { expected: `at most ${limit} at the same time ${whose}` });
  }
}
