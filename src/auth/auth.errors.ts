import { AppError } from '../errors/app-error';

/** There is no key, or none that is valid now. One text for every reason: which it was is nobody's business. */
export class Unauthenticated extends AppError {
  readonly code = 'UNAUTHENTICATED';
  readonly kind = 'unauthenticated' as const;
  constructor() {
    super('This needs a valid API key, as "Authorization: Bearer <key>" or as "X-API-Key: <key>"');
  }
}

/** The key is valid, but not for this: its scopes or its models do not cover it. The same text whether the model exists or not. */
export class Forbidden extends AppError {
  readonly code = 'FORBIDDEN';
  readonly kind = 'forbidden' as const;
  constructor() {
    super('The API key may not do this');
  }
}

/** A key comes where others would see it, or comes twice. */
export class KeyMisplaced extends AppError {
  readonly code = 'KEY_MISPLACED';
  readonly kind = 'malformed' as const;
  /** @param field where it came, never the key itself */
  constructor(field: string, actual: string) {
    super('An API key belongs in one header: "Authorization: Bearer <key>" or "X-API-Key: <key>"', {
      field,
      expected: 'one of the two headers, once',
      actual,
    });
  }
}

/** Too many requests of one address had no valid key. A valid key is let in all the same. */
export class TooManyFailures extends AppError {
  readonly code = 'TOO_MANY_FAILURES';
  readonly kind = 'overloaded' as const;
  constructor(readonly retryAfterSeconds: number) {
    super('Too many requests of this address came without a valid API key', { expected: `a wait of ${retryAfterSeconds} s` });
  }
}

/** The file of the keys cannot be read, and never was: nobody can be told from anybody else, so nobody gets in. */
export class KeysUnreadable extends AppError {
  readonly code = 'KEYS_UNREADABLE';
  readonly kind = 'unavailable' as const;
  constructor() {
    super('The service cannot read its API keys now; the log says why');
  }
}

/** A page of a foreign site asks a browser to change something here. */
export class ForeignOrigin extends AppError {
  readonly code = 'FOREIGN_ORIGIN';
  readonly kind = 'forbidden' as const;
  constructor(actual: string) {
    super('A page of another site may change nothing here', {
      field: 'Origin',
      expected: 'the origin of this service, or one of CORS_ORIGINS',
      actual: actual.slice(0, 200),
    });
  }
}

/** The request is addressed to a name that is not known to be ours. */
export class ForeignHost extends AppError {
  readonly code = 'FOREIGN_HOST';
  readonly kind = 'misdirected' as const;
  constructor(actual: string) {
    super('This service does not answer under that name', {
      field: 'Host',
      expected: 'an IP address, localhost, the machine’s own name, or one of ALLOWED_HOSTS',
      actual: actual.slice(0, 200),
    });
  }
}

/** Routes say nothing of who may use them. The service does not start with such a one. */
export class RouteWithoutScope extends AppError {
  readonly code = 'ROUTE_WITHOUT_SCOPE';
  readonly kind = 'internal' as const;
  /** @param routes `Controller.method` */
  constructor(routes: readonly string[]) {
    super(`Every route needs @Scope or @Public; without either: ${routes.join(', ')}`);
  }
}

/** The file of the keys is not what `analytics-api keys` writes. */
export class KeyFileDamaged extends AppError {
  readonly code = 'KEY_FILE_DAMAGED';
  readonly kind = 'internal' as const;
  constructor(reason: string, options?: ErrorOptions) {
    super(`The file of the API keys cannot be understood: ${reason}`, {}, options);
  }
}

/** Another process changes the file of the keys. */
export class KeyFileBusy extends AppError {
  readonly code = 'KEY_FILE_BUSY';
  readonly kind = 'conflict' as const;
  constructor(lock: string) {
    super(`Another process changes the keys right now; if none does, take ${lock} away`);
  }
}

/** More requests came within a second than a caller may send. */
export class TooManyRequests extends AppError {
  readonly code = 'TOO_MANY_REQUESTS';
  readonly kind = 'overloaded' as const;
  constructor(
    limit: number,
    readonly retryAfterSeconds = 1,
  ) {
    super(`More than ${limit} requests came within a second`, { expected: `at most ${limit} a second (RATE_LIMIT_PER_SECOND)` });
  }
}
