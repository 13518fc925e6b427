import type { IncomingMessage } from 'node:http';
import { KeyMisplaced } from './auth.errors';

const QUERY_NAMES = new Set([
  'api_key',
  'apikey',
  'api-key',
  'x-api-key',
  'key',
  'access_token',
  'token',
  'auth',
  'authorization',
  'bearer',
]);
// names that another application on the same host would not use: a browser sends its cookies here, too
const COOKIE_NAMES = new Set(['api_key', 'apikey', 'api-key', 'x-api-key']);
const KEY_LIKE = /^aapi_/i;
const BEARER = /^bearer +(\S+) *$/i;

/**
 * The key that a request carries in one of the two headers.
 * @returns the text; undefined where there is none, '' where the header holds no key
 * @throws KeyMisplaced for a key in query or cookie, for both headers, for one that comes twice
 */
export function credentialOf(request: IncomingMessage): string | undefined {
  refuseQuery(request.url ?? '');
  refuseCookies(request.headers.cookie);
  const { authorization } = request.headers;
  const apiKey = request.headers['x-api-key'];
  if (authorization === undefined && apiKey === undefined) return undefined;
  if (authorization !== undefined && apiKey !== undefined) throw new KeyMisplaced('X-API-Key', 'both headers');
  const name = authorization === undefined ? 'X-API-Key' : 'Authorization';
  if (timesOf(request, name.toLowerCase()) > 1) throw new KeyMisplaced(name, 'the header several times');
  return authorization === undefined ? String(apiKey) : (BEARER.exec(authorization)?.[1] ?? '');
}

function refuseQuery(url: string): void {
  const at = url.indexOf('?');
  if (at === -1) return;
  for (const [name, value] of new URLSearchParams(url.slice(at + 1))) {
    if (QUERY_NAMES.has(name.toLowerCase()) || KEY_LIKE.test(value)) throw new KeyMisplaced('query', 'a key in the address');
  }
}

function refuseCookies(cookies: string | undefined): void {
  for (const cookie of cookies?.split(';') ?? []) {
    const [name = '', value = ''] = cookie.split('=', 2).map((part) => part.trim());
    if (COOKIE_NAMES.has(name.toLowerCase()) || KEY_LIKE.test(value)) throw new KeyMisplaced('Cookie', 'a key in a cookie');
  }
}

/** Node keeps the first of several `Authorization` and joins several `X-API-Key`. */
function timesOf({ rawHeaders }: IncomingMessage, name: string): number {
  let times = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const header = rawHeaders[at] as string;
    if (header.length === name.length && header.toLowerCase() === name) times++;
  }
  return times;
}
