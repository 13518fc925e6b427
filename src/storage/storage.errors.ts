import { AppError } from '../errors/app-error';

/** A blob that was asked for is not in the store. */
export class BlobMissing extends AppError {
  readonly code = 'BLOB_MISSING';
  readonly kind = 'not-found' as const;
  constructor(
    readonly blob: string,
    options?: ErrorOptions,
  ) {
    super(`The blob ${blob} is not stored`, {}, options);
  }
}

/** More bytes came than an upload may have. */
export class SourceTooLarge extends AppError {
  readonly code = 'UPLOAD_TOO_LARGE';
  readonly kind = 'too-large' as const;
  constructor(maxBytes: number) {
    super(`The upload is larger than ${maxBytes} bytes`, { expected: `at most ${maxBytes} bytes` });
  }
}

/** The volume is full, or its quota is used up. */
export class NoSpace extends AppError {
  readonly code = 'NO_SPACE';
  readonly kind = 'no-space' as const;
  constructor(options?: ErrorOptions) {
    super('The volume of the registry is full; nothing was stored', {}, options);
  }
}

/** Another writer took the next number of the log. The registry decides again by itself. */
export class EventConflict extends AppError {
  readonly code = 'EVENT_CONFLICT';
  readonly kind = 'conflict' as const;
  constructor(seq: number) {
    super(`Event ${seq} was written by somebody else first`);
  }
}

/** The registry takes no changes now; what is served goes on being served. */
export class ReadOnly extends AppError {
  readonly code = 'READ_ONLY';
  readonly kind = 'unavailable' as const;
  constructor(reason: string, options?: ErrorOptions) {
    super(`The registry takes no changes: ${reason}`, { actual: reason }, options);
  }
}

/** An event is written, but the disk did not confirm that it would survive a power cut. */
export class CommitUncertain extends AppError {
  readonly code = 'COMMIT_UNCERTAIN';
  readonly kind = 'internal' as const;
  constructor(seq: number, options?: ErrorOptions) {
    super(`Event ${seq} is written, but the disk did not confirm it: read before you repeat the request`, {}, options);
  }
}

/** The log of the registry does not hold together, or was written by a newer version of the service. */
export class LogDamaged extends AppError {
  readonly code = 'LOG_DAMAGED';
  readonly kind = 'internal' as const;
  constructor(seq: number, reason: string, options?: ErrorOptions) {
    super(`Event ${seq} of the log cannot be trusted: ${reason}`, {}, options);
  }
}

/** There is a log already: nothing of it is written over. */
export class LogExists extends AppError {
  readonly code = 'LOG_EXISTS';
  readonly kind = 'conflict' as const;
  constructor(root: string, options?: ErrorOptions) {
    super(`There is a registry in ${root} already`, { expected: 'an empty place', actual: 'a log of events' }, options);
  }
}
