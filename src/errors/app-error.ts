/** Why something was refused or failed, in the caller's terms. `http/problem.ts` decides the HTTP status of each kind, once. */
export type ErrorKind =
  | 'malformed'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'slow'
  | 'conflict'
  | 'stale'
  | 'too-large'
  | 'media-type'
  | 'misdirected'
  | 'invalid'
  | 'unprocessable'
  | 'precondition'
  | 'overloaded'
  | 'headers-too-large'
  | 'internal'
  | 'unsupported'
  | 'unavailable'
  | 'deadline'
  | 'no-space';

/** What a caller needs to mend the request: the part at fault, what was wanted there, what came. */
export interface ErrorDetails {
  readonly field?: string;
  readonly expected?: string;
  readonly actual?: string;
}

/** Base of every error that a room of this house throws on purpose. Knows nothing of HTTP, of logging or of the request. */
export abstract class AppError extends Error {
  /** Stable and public: a client may switch on it, and `docs/ERRORS.md` lists it. */
  abstract readonly code: string;
  abstract readonly kind: ErrorKind;

  /** What a program may want to read beside the sentence; it becomes members of the answer. */
  get members(): Readonly<Record<string, unknown>> {
    return {};
  }

  constructor(
    message: string,
    readonly details: ErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The code of an error, as figures name it; what nobody foresaw is `INTERNAL`, as its caller is told. */
export function codeOf(error: unknown): string {
  return error instanceof AppError ? error.code : 'INTERNAL';
}
