import { AppError, type ErrorDetails } from '../../errors/app-error';
import { DATATYPES, type Datatype } from '../../runtime/tensor';

/** The binary part of a body, or the header that tells where it begins, is not what the JSON says. */
export class BinaryMalformed extends AppError {
  readonly code = 'BINARY_MALFORMED';
  readonly kind = 'malformed' as const;
  constructor(message: string, details: ErrorDetails) {
    super(message, details);
  }
}

/** The elements of a tensor are not as many, or not nested, as its shape says. */
export class DataContradictsShape extends AppError {
  readonly code = 'DATA_CONTRADICTS_SHAPE';
  readonly kind = 'malformed' as const;
  constructor(field: string, expected: string, actual: string) {
    super(`${field} is not what the shape says`, { field, expected, actual });
  }
}

/** A tensor says a datatype that there is not. */
export class DatatypeUnknown extends AppError {
  readonly code = 'DATATYPE_UNKNOWN';
  readonly kind = 'malformed' as const;
  constructor(input: string, actual: string) {
    super(`Invalid datatype for the input "${input}"`, {
      field: input,
      expected: `one of ${DATATYPES.join(', ')}`,
      actual: actual.slice(0, 80),
    });
  }
}

/** A tensor of this datatype has no form in JSON. */
export class NoJsonForm extends AppError {
  readonly code = 'NO_JSON_FORM';
  readonly kind = 'malformed' as const;
  /** @param expected how to send or ask for it as bytes */
  constructor(tensor: string, datatype: Datatype, expected: string) {
    super(`"${tensor}" is ${datatype}, which has no form in JSON: take the binary one`, { field: tensor, expected });
  }
}

/** An output was asked for as classes, and cannot be told so. */
export class NotClassifiable extends AppError {
  readonly code = 'NOT_CLASSIFIABLE';
  readonly kind = 'invalid' as const;
  constructor(output: string, expected: string, actual: string) {
    super(`The output "${output}" cannot be told as classes`, { field: output, expected, actual });
  }
}
