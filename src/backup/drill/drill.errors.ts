import { AppError } from '../../errors/app-error';

/** The service stopped while it drilled; nothing is left of it. */
export class DrillStopped extends AppError {
  readonly code = 'DRILL_STOPPED';
  readonly kind = 'unavailable' as const;
  constructor(options?: ErrorOptions) {
    super('The drill was not finished, as the service stops; nothing is left of it', {}, options);
  }
}
