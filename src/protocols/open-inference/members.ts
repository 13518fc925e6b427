import { MalformedBody } from '../../wire/wire.errors';

/** The members of a JSON object. */
export type Members = Readonly<Record<string, unknown>>;

/** @param field where it came from, for the error  @throws MalformedBody where it is no object */
export function membersOf(value: unknown, field: string): Members {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Members;
  throw new MalformedBody(`${field} must be an object`, { field, expected: 'an object', actual: kindOf(value) });
}

/** As `membersOf`; what is absent or null has none. @throws MalformedBody */
export function optionalMembersOf(value: unknown, field: string): Members {
  return value === undefined || value === null ? {} : membersOf(value, field);
}

/** @throws MalformedBody where it is no array */
export function arrayOf(value: unknown, field: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new MalformedBody(`${field} must be an array`, { field, expected: 'an array', actual: kindOf(value) });
}

/** @throws MalformedBody where it is no text */
export function textOf(value: unknown, field: string): string {
  if (typeof value === 'string') return value;
  throw new MalformedBody(`${field} must be a text`, { field, expected: 'a text', actual: kindOf(value) });
}

/** What is absent or null is undefined. @throws MalformedBody for what is neither true nor false */
export function optionalTruthOf(value: unknown, field: string): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'boolean') return value;
  throw new MalformedBody(`${field} must be true or false`, { field, expected: 'true or false', actual: kindOf(value) });
}

/** @throws MalformedBody where it is no whole number from 0 on that a double can hold */
export function countOf(value: unknown, field: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  const actual = typeof value === 'number' || typeof value === 'bigint' ? String(value).slice(0, 80) : kindOf(value);
  throw new MalformedBody(`${field} must be a whole number from 0 on`, { field, expected: 'a whole number from 0 on', actual });
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
