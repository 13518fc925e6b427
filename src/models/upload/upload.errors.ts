import { AppError, type ErrorDetails } from '../../errors/app-error';

/** A form lacks a part that an upload needs. */
export class UploadIncomplete extends AppError {
  readonly code = 'UPLOAD_INCOMPLETE';
  readonly kind = 'malformed' as const;
  constructor(field: string, expected: string, actual: string) {
    super(`The upload lacks a usable part "${field}"`, { field, expected, actual });
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

/** A model does not answer what its own golden rows say that it must. */
export class GoldenMismatch extends AppError {
  readonly code = 'GOLDEN_MISMATCH';
  readonly kind = 'invalid' as const;
  constructor(field: string, expected: string, actual: string) {
    super(`The model does not answer what ${field} says`, { field, expected, actual });
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
