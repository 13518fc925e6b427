import { AppError, type ErrorDetails } from '../errors/app-error';

/** A body is no JSON. */
export class MalformedJson extends AppError {
  readonly code = 'MALFORMED_JSON';
  readonly kind = 'malformed' as const;
  constructor(actual: string, { expected = 'one JSON value in UTF-8', ...options }: ErrorOptions & { readonly expected?: string } = {}) {
    super(`The body cannot be read as JSON: ${actual}`, { field: 'body', expected, actual }, options);
  }
}

/** A body, a form or a query has members that are missing, unknown or of the wrong kind. */
export class MalformedBody extends AppError {
  readonly code = 'MALFORMED_BODY';
  readonly kind = 'malformed' as const;
  constructor(message: string, details: ErrorDetails) {
    super(message, details);
  }
}

/** A form cannot be read. */
export class MalformedMultipart extends AppError {
  readonly code = 'MALFORMED_MULTIPART';
  readonly kind = 'malformed' as const;
  constructor(actual: string, options?: ErrorOptions) {
    super(`The multipart body cannot be read: ${actual}`, { field: 'body', expected: 'multipart/form-data (RFC 7578)', actual }, options);
  }
}

/** A JSON body is too large. */
export class BodyTooLarge extends AppError {
  readonly code = 'BODY_TOO_LARGE';
  readonly kind = 'too-large' as const;
  constructor(maxBytes: number) {
    super(`The body is larger than ${maxBytes} bytes`, { field: 'body', expected: `at most ${maxBytes} bytes` });
  }
}

/** A compressed body cannot be unpacked. */
export class MalformedEncoding extends AppError {
  readonly code = 'MALFORMED_ENCODING';
  readonly kind = 'malformed' as const;
  constructor(encoding: string, options?: ErrorOptions) {
    super(`The body is not what Content-Encoding says: ${encoding}`, { field: 'body', expected: `one whole ${encoding} stream` }, options);
  }
}

/** The caller went away before its body ended. */
export class BodyAborted extends AppError {
  readonly code = 'BODY_ABORTED';
  readonly kind = 'malformed' as const;
  constructor(options?: ErrorOptions) {
    super('The connection ended before the body did', { field: 'body' }, options);
  }
}

/** A body arrives too slowly. */
export class BodyTooSlow extends AppError {
  readonly code = 'BODY_TOO_SLOW';
  readonly kind = 'slow' as const;
  constructor({ maxMs, minBytesPerSecond }: { readonly maxMs: number; readonly minBytesPerSecond?: number }) {
    const seconds = maxMs / 1000;
    const expected =
      minBytesPerSecond === undefined ? `the whole body within ${seconds} s` : `at least ${minBytesPerSecond} bytes a second`;
    super('The body arrives too slowly', { field: 'body', expected });
  }
}

/** A body comes in a form that this route does not read. */
export class UnsupportedMediaType extends AppError {
  readonly code = 'UNSUPPORTED_MEDIA_TYPE';
  readonly kind = 'media-type' as const;
  constructor(field: string, expected: string, actual: string) {
    super(`${field} must be ${expected}`, { field, expected, actual });
  }
}

/** An archive, or an entry of it, is damaged, hostile or of a form that is not taken. */
export class ArchiveRefused extends AppError {
  readonly code = 'ARCHIVE_REFUSED';
  readonly kind = 'invalid' as const;
  /** @param entry the name of the entry as it may be shown, or "archive" where it is about all of it */
  constructor(entry: string, expected: string, actual: string, options?: ErrorOptions) {
    super(`The archive is refused, ${entry}: ${actual}`, { field: entry, expected, actual }, options);
  }
}

/** An archive holds more than it may: entries, bytes, or bytes for each compressed byte. */
export class ArchiveTooLarge extends AppError {
  readonly code = 'ARCHIVE_TOO_LARGE';
  readonly kind = 'too-large' as const;
  /** @param entry the name of the entry with which it became too much, or "archive" */
  constructor(entry: string, expected: string, actual: string) {
    super(`The archive is too large, ${entry}: ${actual}`, { field: entry, expected, actual });
  }
}
