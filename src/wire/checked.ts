import { type ClassConstructor, plainToInstance } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import { MalformedBody } from './wire.errors';

/**
 * Turns plain JSON into an instance of a class whose members carry class-validator's rules. Members without a rule are refused.
 * The value is walked recursively: it comes from `parseJson`, which limits its depth, or is flat.
 * @param field what the value is called in an error (`body`, `metadata`)
 * @throws MalformedBody for the first rule that does not hold, with its path
 */
export function checked<T extends object>(type: ClassConstructor<T>, value: unknown, field: string): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MalformedBody(`${field} must be an object`, { field, expected: 'an object', actual: nameOf(value) });
  }
  const instance = plainToInstance(type, value);
  // what plainToInstance leaves out in silence ("__proto__", "constructor") is refused like any other member without a rule
  const lost = Object.keys(value).find((name) => !Object.hasOwn(instance, name));
  if (lost !== undefined) throw new MalformedBody(`There is no ${field}.${lost}`, { field: `${field}.${lost}`, expected: 'absent' });
  const [fault] = validateSync(instance, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true });
  if (fault !== undefined) throw refusal(fault, field);
  return instance;
}

function refusal(fault: ValidationError, parent: string): MalformedBody {
  const field = `${parent}.${fault.property}`;
  const [child] = fault.children ?? [];
  if (child !== undefined) return refusal(child, field);
  const expected = Object.values(fault.constraints ?? {}).map((text) =>
    text.replace(` in ${fault.property} `, ' ').replace(`${fault.property} `, ''),
  );
  return new MalformedBody(`${field} ${expected.join(', ')}`, { field, expected: expected.join(', '), actual: nameOf(fault.value) });
}

/** A value as an error may show it: short, and never a whole document. */
function nameOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'bigint' ? String(value).slice(0, 80) : JSON.stringify(value).slice(0, 80);
}
