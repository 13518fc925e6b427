import { type ClassConstructor, plainToInstance } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import { MalformedBody } from './wire.errors';

const MAX_DEPTH = 32;

/**
 * Turns plain JSON into an instance of a class whose members carry class-validator's rules. Members without a rule are refused.
 * @param field what the value is called in an error (`body`, `metadata`)
 * @throws MalformedBody for the first rule that does not hold, with its path
 */
export function checked<T extends object>(type: ClassConstructor<T>, value: unknown, field: string): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MalformedBody(`${field} must be an object`, { field, expected: 'an object', actual: nameOf(value) });
  }
  refuseDepth(value, field);
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

/** Everything after this walks the value recursively. */
function refuseDepth(value: object, field: string): void {
  let level: readonly unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw new MalformedBody(`${field} is nested too deeply`, { field, expected: `at most ${MAX_DEPTH} levels` });
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? (Object.values(each) as unknown[]) : []));
  }
}

/** A value as an error may show it: short, and never a whole document. */
function nameOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' && value !== null ? 'an object' : JSON.stringify(value).slice(0, 80);
}
