/**
 * Whether `error` carries this `code`, as the errors of Node's own modules do. Not `instanceof Error`: an error of `node:fs` may
 * come from another realm.
 */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}
