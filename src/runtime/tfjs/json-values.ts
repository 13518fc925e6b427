import { TfjsRefused } from './tfjs-refused';

const MAX_SHOWN = 100;
const MAX_NAME = 1000;

/** An object of parsed JSON. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A name from a file as a message shows it: in quotes, and not all of it where it is long. */
export function quoted(name: unknown): string {
  const text = typeof name === 'string' ? name : (JSON.stringify(name) ?? 'nothing');
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text);
}

/** @param what names the value in the message @throws TfjsRefused where it is no object */
export function objectAt(value: unknown, what: string): JsonObject {
  if (isObject(value)) return value;
  throw new TfjsRefused(`${what} is not an object`);
}

/** @throws TfjsRefused where it is no array; an absent one is empty */
export function listAt(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw new TfjsRefused(`${what} is not an array`);
}

/** @throws TfjsRefused where it is no name: a text of 1 to 1 000 characters, and none that objects have anyway */
export function nameAt(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '' || value.length > MAX_NAME) throw new TfjsRefused(`${what} is not a name`);
  if (value in {}) throw new TfjsRefused(`${what} is ${quoted(value)}, which no name can be: rename it`);
  return value;
}

/** Whether a value is an object, and no array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
