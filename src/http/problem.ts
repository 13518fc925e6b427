import { STATUS_CODES } from 'node:http';
import type { AppError, ErrorKind } from '../errors/app-error';

/** The HTTP status of each kind of error. Nothing else decides one. */
export const STATUS = {
  malformed: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  slow: 408,
  conflict: 409,
  stale: 412,
  'too-large': 413,
  'media-type': 415,
  misdirected: 421,
  invalid: 422,
  unprocessable: 422,
  precondition: 428,
  overloaded: 429,
  'headers-too-large': 431,
  internal: 500,
  unsupported: 501,
  unavailable: 503,
  deadline: 504,
  'no-space': 507,
} as const satisfies Record<ErrorKind, number>;

/** The content type of every error (RFC 9457). */
export const PROBLEM_TYPE = 'application/problem+json';

/** The body of an error (RFC 9457), with the code, the id, and what it takes to mend the request. */
export function problemOf(error: AppError, correlationId: string): object {
  const status = STATUS[error.kind];
  return {
    type: `urn:analytics-api:error:${error.code}`,
    title: STATUS_CODES[status],
    status,
    detail: error.message,
    code: error.code,
    correlationId,
    ...error.details,
    ...('checks' in error && { checks: error.checks }),
    ...error.members,
  };
}
