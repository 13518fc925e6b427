import { AppError } from '../errors/app-error';

export class BlobMissing extends AppError {
  readonly code = 'BLOB_MISSING';
  readonly kind = 'not-found' as const;
  constructor(name: string, options?: ErrorOptions) {
    super(`The blob ${name} is not stored`, {}, options);
  }
}

export class BlobDamaged extends AppError {
  readonly code = 'BLOB_DAMAGED';
  readonly kind = 'internal' as const;
  constructor(name: string, actual: string) {
    super(`The stored bytes of blob ${name} are not what its name promises`, { expected: name, actual });
  }
}

export class SourceTooLarge extends AppError {
  readonly code = 'UPLOAD_TOO_LARGE';
  readonly kind = 'too-large' as const;
  constructor(maxBytes: number) {
    super(`The upload is larger than ${maxBytes} bytes`, { expected: `at most ${maxBytes} bytes` });
  }
}

export class NoSpace extends AppError {
  readonly code = 'NO_SPACE';
  readonly kind = 'no-space' as const;
  constructor(options?: ErrorOptions) {
    super('The volume of the registry is full; nothing was stored', {}, options);
  }
}

export class EventConflict extends AppError {
  readonly code = 'EVENT_CONFLICT';
  readonly kind = 'conflict' as const;
  constructor(seq: number) {
    super(`Event ${seq} was written by somebody else first`);
  }
}

export class CommitUncertain extends AppError {
  readonly code = 'COMMIT_UNCERTAIN';
  readonly kind = 'internal' as const;
  constructor(seq: number, options?: ErrorOptions) {
    super(`Event ${seq} is written, but the disk did not confirm it: read before you repeat the request`, {}, options);
  }
}

export class LogDamaged extends AppError {
  readonly code = 'LOG_DAMAGED';
  readonly kind = 'internal' as const;
  constructor(seq: number, reason: string, options?: ErrorOptions) {
    super(`Event ${seq} of the log cannot be trusted: ${reason}`, {}, options);
  }
}
