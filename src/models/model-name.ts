import { InvalidName } from './models.errors';
import { STAGES } from './registry/registry-event';

const NAME = /^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$/;
const RESERVED = new Set(['stats']);
const FILE_NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?$/;

/** @param field where the name came from, for the error  @throws InvalidName outside the one grammar of names */
export function modelName(text: string | undefined, field: string): string {
  if (text !== undefined && NAME.test(text) && !text.includes('..') && !RESERVED.has(text)) return text;
  throw new InvalidName(field, '1 to 64 of a-z, 0-9, ".", "_", "-", first and last a letter or digit, no ".."', text);
}

/** An alias of a version: as a model's name, but never all digits and never a stage. @throws InvalidName */
export function aliasName(text: string, field: string): string {
  if (NAME.test(text) && !text.includes('..') && !/^[0-9]+$/.test(text) && !(STAGES as readonly string[]).includes(text)) return text;
  throw new InvalidName(field, `a name as a model has, not all digits, and none of ${STAGES.join(', ')}`, text);
}

/** A version's number, from a path, a query or a form. @throws InvalidName */
export function versionNumber(text: string, field: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  throw new InvalidName(field, 'a whole number from 1 on', text);
}

/** How much of a list is wanted at once. @throws InvalidName */
export function pageSize(text: string): number {
  if (/^[1-9][0-9]{0,3}$/.test(text) && Number(text) <= 1000) return Number(text);
  throw new InvalidName('limit', 'a whole number from 1 to 1000', text);
}

/** Why something is done, where a query says so. @throws InvalidName beyond 1024 characters, or where it comes twice */
export function reasonText(text: unknown): { readonly reason?: string } {
  if (text === undefined) return {};
  if (typeof text === 'string' && text.length <= 1024) return { reason: text };
  throw new InvalidName('reason', 'one text of at most 1024 characters', JSON.stringify(text));
}

/** A moment, from a query. @throws InvalidName */
export function moment(text: unknown, field: string): string {
  const time = typeof text === 'string' && /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(time)) return new Date(time).toISOString();
  throw new InvalidName(field, 'a time as 2026-11-22T12:00:00Z, or a day (its beginning, UTC)', JSON.stringify(text));
}

/** The name of an uploaded file: never a path. @throws InvalidName */
export function fileName(text: string): string {
  if (FILE_NAME.test(text) && !text.includes('..')) return text;
  throw new InvalidName('file', 'a file with a plain name: letters, digits, ".", "_", "-", at most 128', text);
}
