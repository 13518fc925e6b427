import { AppError } from '../errors/app-error';

/** Rows of one request, or lists in a tensor, differ in length. */
export class RaggedRows extends AppError {
  readonly code = 'RAGGED_ROWS';
  readonly kind = 'malformed' as const;
  constructor(field: string, expected: string, actual: string) {
    super(`${field} is not as long as its neighbours`, { field, expected, actual });
  }
}
