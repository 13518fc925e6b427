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
