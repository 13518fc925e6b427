import { AppError, type ErrorDetails } from '../errors/app-error';

export class MalformedJson extends AppError {
  readonly code = 'MALFORMED_JSON';
  readonly kind = 'malformed' as const;
  constructor(actual: string, options?: ErrorOptions) {
    super(`The body is no JSON: ${actual}`, { field: 'body', expected: 'one JSON value in UTF-8', actual }, options);
  }
}

export class MalformedBody extends AppError {
  readonly code = 'MALFORMED_BODY';
  readonly kind = 'malformed' as const;
  constructor(message: string, details: ErrorDetails) {
    super(message, details);
  }
}

export class MalformedMultipart extends AppError {
  readonly code = 'MALFORMED_MULTIPART';
  readonly kind = 'malformed' as const;
  constructor(actual: string, options?: ErrorOptions) {
    super(`The multipart body cannot be read: ${actual}`, { field: 'body', expected: 'multipart/form-data (RFC 7578)', actual }, options);
  }
}

export class BodyTooLarge extends AppError {
  readonly code = 'BODY_TOO_LARGE';
  readonly kind = 'too-large' as const;
  constructor(maxBytes: number) {
    super(`The body is larger than ${maxBytes} bytes`, { field: 'body', expected: `at most ${maxBytes} bytes` });
  }
}

export class BodyAborted extends AppError {
  readonly code = 'BODY_ABORTED';
  readonly kind = 'malformed' as const;
  constructor(options?: ErrorOptions) {
    super('The connection ended before the body did', { field: 'body' }, options);
  }
}

export class UnsupportedMediaType extends AppError {
  readonly code = 'UNSUPPORTED_MEDIA_TYPE';
  readonly kind = 'media-type' as const;
  constructor(field: string, expected: string, actual: string) {
    super(`${field} must be ${expected}`, { field, expected, actual });
  }
}
