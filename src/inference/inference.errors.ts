import { AppError } from '../errors/app-error';

/** The inputs are not those of the model. */
export class InputsMismatch extends AppError {
  readonly code = 'INPUTS_MISMATCH';
  readonly kind = 'invalid' as const;
  constructor(expected: readonly string[], actual: readonly string[]) {
    super('The inputs are not those of the model', { field: 'inputs', expected: expected.join(', '), actual: actual.join(', ') || 'none' });
  }
}

/** An input has another datatype than the model takes. */
export class DatatypeMismatch extends AppError {
  readonly code = 'DATATYPE_MISMATCH';
  readonly kind = 'invalid' as const;
  constructor(input: string, expected: string, actual: string) {
    super(`The input "${input}" has the wrong datatype`, { field: input, expected, actual });
  }
}

/** An input, or a row of it, has another shape than the model takes. */
export class ShapeMismatch extends AppError {
  readonly code = 'SHAPE_MISMATCH';
  readonly kind = 'invalid' as const;
  constructor(field: string, expected: string, actual: string) {
    super(`"${field}" has the wrong shape`, { field, expected, actual });
  }
}

/** An output was asked for that the model does not have. */
export class OutputUnknown extends AppError {
  readonly code = 'OUTPUT_UNKNOWN';
  readonly kind = 'invalid' as const;
  constructor(expected: readonly string[], actual: string) {
    super(`The model has no output "${actual}"`, { field: 'outputs', expected: `one of ${expected.join(', ')}`, actual });
  }
}

/** More calls wait than may, or more bytes of them. */
export class TooManyCalls extends AppError {
  readonly code = 'TOO_MANY_CALLS';
  readonly kind = 'overloaded' as const;
  /** @param retryAfterSeconds until there is room again, as fast as calls are answered now */
  constructor(
    what: string,
    limit: string,
    readonly retryAfterSeconds = 1,
  ) {
    super(`Too many calls ${what} are waiting or running already: try again in ${retryAfterSeconds} s`, { expected: `at most ${limit}` });
  }
}

/** The caller went away before it was answered; the call was not run, or its answer was thrown away. */
export class CallerGone extends AppError {
  readonly code = 'CALLER_GONE';
  readonly kind = 'malformed' as const;
  constructor() {
    super('The caller went away before it was answered');
  }
}

/** The model answers NaN or infinity, and its metadata refuses that. */
export class NonFiniteOutput extends AppError {
  readonly code = 'NON_FINITE_OUTPUT';
  readonly kind = 'unprocessable' as const;
  constructor(output: string) {
    super(`The model answers NaN or infinity in "${output}", and its metadata says nonFinite: reject`, {
      field: output,
      expected: 'finite numbers',
    });
  }
}
