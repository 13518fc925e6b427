import { type CustomDecorator, SetMetadata } from '@nestjs/common';
import type { AppError } from './app-error';

/** Under this key a handler's metadata lists the errors it may answer with. */
export const REFUSALS = Symbol('refusals');

/** Lists what a route may answer instead of a success: an example of each error, from which the API's documentation is made. */
export function Refuses(...examples: readonly AppError[]): CustomDecorator<symbol> {
  return SetMetadata(REFUSALS, examples);
}
