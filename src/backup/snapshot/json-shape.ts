/** Whether a value is what a member must be. */
export type Check = (value: unknown) => boolean;

/** What the members of an object must be. */
export type Members = Readonly<Record<string, Check>>;

export const isDigest: Check = (value) => isText(value, /^[0-9a-f]{64}$/);
export const isTime: Check = (value) =>
  isText(value, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) && !Number.isNaN(Date.parse(value as string));
export const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
/** Of a file in an artifact, relative: shown to people, who may well type it after a `cp`. */
export const isFilePath: Check = (value) => isText(value, /^(?!.*(^|\/)\.{0,2}(\/|$))[^\p{Cc}\\]{1,512}$/u);

export function isText(value: unknown, pattern: RegExp): boolean {
  return typeof value === 'string' && pattern.test(value);
}

export function listOf(check: Check): Check {
  return (value) => Array.isArray(value) && value.every(check);
}

/** Whether it is an object with these members, each what it must be, and no other. */
export function has(value: unknown, required: Members, optional: Members = {}): boolean {
  return faultIn(value, required, optional) === undefined;
}

/** @returns the name of the first member that is missing, unknown or wrong */
export function faultIn(value: unknown, required: Members, optional: Members): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return '(all)';
  const missing = Object.keys(required).find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) return missing;
  const wrong = Object.entries(value).find(([name, member]) => {
    const check = Object.hasOwn(required, name) ? required[name] : Object.hasOwn(optional, name) ? optional[name] : undefined;
    return check?.(member) !== true;
  });
  return wrong?.[0].slice(0, 40);
}
