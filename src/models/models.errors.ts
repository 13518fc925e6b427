import { AppError } from '../errors/app-error';

/** A name or a number in a path, a query or a form is outside its grammar. */
export class InvalidName extends AppError {
  readonly code = 'INVALID_NAME';
  readonly kind = 'malformed' as const;
  constructor(field: string, expected: string, actual: string | undefined) {
    super(`${field} is not a valid name`, {
      field,
      expected,
      actual: actual === undefined ? 'missing' : JSON.stringify(actual.slice(0, 80)),
    });
  }
}

/** There is no model of this name; or there was one, and it is deleted. */
export class ModelNotFound extends AppError {
  readonly code = 'MODEL_NOT_FOUND';
  readonly kind = 'not-found' as const;
  /** @param at the moment of which a state was asked for, if not now */
  constructor(model: string, deletion?: { readonly at: string }, at?: string) {
    const when = at === undefined ? '' : ` at ${at}`;
    const text = deletion === undefined ? `There ${at === undefined ? 'is' : 'was'} no model "${model}"${when}` : `The model "${model}" was deleted at ${deletion.at}`; // prettier-ignore
    super(deletion !== undefined && at === undefined ? `${text}: undelete it, or upload a new one` : text, {
      field: 'model',
      actual: model,
    });
  }
}

/** The model has no version of this number; or it had one, and it is deleted. */
export class VersionNotFound extends AppError {
  readonly code = 'VERSION_NOT_FOUND';
  readonly kind = 'not-found' as const;
  constructor(model: string, version: number, known: readonly number[], deletion?: { readonly at: string }) {
    const text = deletion === undefined ? `The model "${model}" has no version ${version}` : `Version ${version} of "${model}" was deleted at ${deletion.at}: undelete it`; // prettier-ignore
    super(text, { field: 'version', expected: `one of ${listed(known)}`, actual: String(version) });
  }
}

/** No version of the model is in production, and none was asked for. */
export class NoProductionVersion extends AppError {
  readonly code = 'NO_PRODUCTION_VERSION';
  readonly kind = 'not-found' as const;
  constructor(model: string, known: readonly number[]) {
    super(`No version of "${model}" is in production: promote one, or ask for a version by its number`, {
      field: 'version',
      expected: `a version in production, or one of ${listed(known)} asked for`,
      actual: 'none',
    });
  }
}

/** The model has no alias of this name. */
export class AliasNotFound extends AppError {
  readonly code = 'ALIAS_NOT_FOUND';
  readonly kind = 'not-found' as const;
  constructor(model: string, alias: string, known: readonly string[]) {
    const expected = known.length === 0 ? 'production' : `one of ${['production', ...known.slice(0, 20)].join(', ')}`;
    super(`The model "${model}" has no alias "${alias}"`, { field: 'alias', expected, actual: alias });
  }
}

/** The version cannot be served; `actual` says why. */
export class ModelUnavailable extends AppError {
  readonly code = 'MODEL_UNAVAILABLE';
  readonly kind = 'unavailable' as const;
  constructor(model: string, version: number, reason: string) {
    super(`Version ${version} of "${model}" cannot be served: ${reason}`, { actual: reason });
  }
}

/** There is no room in memory for the version, and what is there cannot leave. */
export class ModelMemoryExceeded extends AppError {
  readonly code = 'MODEL_MEMORY_EXCEEDED';
  readonly kind = 'unavailable' as const;
  constructor(model: string, version: number, bytes: number, limitBytes: number) {
    const [needed, limit] = [bytes, limitBytes].map((size) => `${Math.ceil(size / 2 ** 20)} MB`) as [string, string];
    super(`Version ${version} of "${model}" takes ${needed} of memory, for which there is no room (MODEL_MEMORY_MB: ${limit})`, {
      expected: `at most ${limit} for all models that are in use or pinned`,
      actual: needed,
    });
  }
}

function listed(versions: readonly number[]): string {
  return versions.length === 0 ? 'none' : versions.slice(-20).join(', ');
}
