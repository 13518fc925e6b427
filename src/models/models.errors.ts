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

/** There is no model of this name. */
export class ModelNotFound extends AppError {
  readonly code = 'MODEL_NOT_FOUND';
  readonly kind = 'not-found' as const;
  constructor(model: string) {
    super(`There is no model "${model}"`, { field: 'model', actual: model });
  }
}

/** The model has no version of this number. */
export class VersionNotFound extends AppError {
  readonly code = 'VERSION_NOT_FOUND';
  readonly kind = 'not-found' as const;
  constructor(model: string, version: number, known: readonly number[]) {
    super(`The model "${model}" has no version ${version}`, {
      field: 'version',
      expected: `one of ${listed(known)}`,
      actual: String(version),
    });
  }
}

/** No version of the model is in production, and none was asked for. */
export class NoProductionVersion extends AppError {
  readonly code = 'NO_PRODUCTION_VERSION';
  readonly kind = 'not-found' as const;
  constructor(model: string, known: readonly number[]) {
    super(`No version of "${model}" is in production: promote one, or ask for one with ?version=`, {
      field: 'version',
      expected: `a production version, or ?version= with one of ${listed(known)}`,
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
