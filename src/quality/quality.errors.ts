import { AppError } from '../errors/app-error';

/** What is told of a prediction is nothing that this version could have answered, or been asked. */
export class FeedbackMismatch extends AppError {
  readonly code = 'FEEDBACK_MISMATCH';
  readonly kind = 'invalid' as const;
  constructor(field: string, expected: string, actual: string) {
    super(`${field} does not fit the version`, { field, expected, actual });
  }
}
