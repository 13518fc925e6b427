import { AppError } from '../errors/app-error';

/** A probe says no; `checks` has what each check said. */
export class NotReady extends AppError {
  readonly code = 'NOT_READY';
  readonly kind = 'unavailable' as const;
  /** @param checks what each check said */
  constructor(readonly checks: object) {
    super('The service is not ready');
  }
}
