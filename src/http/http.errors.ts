import { AppError } from '../errors/app-error';

/** There is nothing under this method and path. */
export class RouteNotFound extends AppError {
  readonly code = 'ROUTE_NOT_FOUND';
  readonly kind = 'not-found' as const;
  constructor(method: string, path: string) {
    super('There is nothing under this method and path; /docs lists what there is', {
      field: 'path',
      actual: `${method} ${path.slice(0, 200)}`,
    });
  }
}

/** The request line or a header cannot be read. */
export class MalformedRequest extends AppError {
  readonly code = 'MALFORMED_REQUEST';
  readonly kind = 'malformed' as const;
  constructor(options?: ErrorOptions) {
    super('The request line or a header cannot be read', {}, options);
  }
}

/** Something that nobody foresaw. */
export class InternalError extends AppError {
  readonly code = 'INTERNAL';
  readonly kind = 'internal' as const;
  constructor(options?: ErrorOptions) {
    super('Something went wrong on our side; the log knows more under this correlation id', {}, options);
  }
}

/** The request line and the headers together are too large. */
export class HeadersTooLarge extends AppError {
  readonly code = 'HEADERS_TOO_LARGE';
  readonly kind = 'headers-too-large' as const;
  constructor(options?: ErrorOptions) {
    super('The request line and its headers are larger than 16 KiB', { expected: 'at most 16384 bytes' }, options);
  }
}

/** The headers of a request do not arrive. */
export class HeadersTooSlow extends AppError {
  readonly code = 'HEADERS_TOO_SLOW';
  readonly kind = 'slow' as const;
  constructor(options?: ErrorOptions) {
    super('The headers of the request took too long to arrive', {}, options);
  }
}
