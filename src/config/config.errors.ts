import { AppError } from '../errors/app-error';

/** The environment does not make a configuration that the service can start with. */
export class BadConfiguration extends AppError {
  readonly code = 'BAD_CONFIGURATION';
  readonly kind = 'internal' as const;
  /** @param faults one sentence each, none with a secret value in it */
  constructor(faults: readonly string[]) {
    super(`The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n  ${faults.join('\n  ')}`);
  }
}
