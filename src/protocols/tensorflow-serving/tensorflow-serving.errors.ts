import { AppError } from '../../errors/app-error';

/** A request asks for a signature that the model does not have. */
export class SignatureUnknown extends AppError {
  readonly code = 'SIGNATURE_UNKNOWN';
  readonly kind = 'invalid' as const;
  constructor(actual: string) {
    const shown = actual.slice(0, 80);
    super(`Serving signature name: "${shown}" not found in signature def`, {
      field: 'signature_name',
      expected: '"serving_default", "", or nothing',
      actual: JSON.stringify(shown),
    });
  }
}

/** The call was made in rows, but an output has no part for each of them. */
export class BatchInconsistent extends AppError {
  readonly code = 'BATCH_INCONSISTENT';
  readonly kind = 'invalid' as const;
  /** @param shape of the output */
  constructor(output: string, rows: number, shape: readonly number[]) {
    const size = shape[0] ?? 'none';
    super(`Tensor name: ${output} has inconsistent batch size: ${size} expecting batch size: ${rows}; ask with "inputs" instead`, {
      field: output,
      expected: `the shape [${[rows, '…'].join(', ')}]`,
      actual: `[${shape.join(', ')}]`,
    });
  }
}

/** An input or output has a datatype for which TensorFlow Serving's JSON has no form. */
export class DatatypeWithoutJson extends AppError {
  readonly code = 'DATATYPE_WITHOUT_JSON';
  readonly kind = 'unsupported' as const;
  /** @param side which of both it is of */
  constructor(side: 'input' | 'output', name: string, datatype: string) {
    super(`The ${side} "${name}" is of ${datatype}, for which this dialect has no JSON: ask at /api/v1/predict or in binary at /v2`, {
      field: name,
      expected: 'a datatype that TensorFlow Serving writes as JSON',
      actual: datatype,
    });
  }
}

/** TensorFlow Serving has this method, but no model here has a signature for it. */
export class MethodUnsupported extends AppError {
  readonly code = 'METHOD_UNSUPPORTED';
  readonly kind = 'unsupported' as const;
  constructor(method: string) {
    super(`No model has a signature for ${method}, which takes tf.Example`, {
      field: 'path',
      expected: ':predict',
      actual: `:${method}`,
    });
  }
}
