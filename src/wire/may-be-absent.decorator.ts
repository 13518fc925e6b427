import { ValidateIf } from 'class-validator';

/** A member that may be absent, but not null: whoever reads it asks for `undefined` only. */
export function MayBeAbsent(): PropertyDecorator {
  return ValidateIf((_, value: unknown) => value !== undefined);
}
