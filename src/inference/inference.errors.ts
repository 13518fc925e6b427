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

/** More calls wait than may. */
export class TooManyCalls extends AppError {
  readonly code = 'TOO_MANY_CALLS';
  readonly kind = 'overloaded' as const;
  constructor(what: string, limit: number) {
    super(`${limit} calls ${what} are waiting or running already: try again in a moment`, { expected: `at most ${limit} calls at a time` });
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
