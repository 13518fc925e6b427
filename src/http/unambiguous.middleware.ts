import type { NextFunction, Request, Response } from 'express';
import { MalformedRequest } from './http.errors';

/**
 * Refuses what Node's parser lets through and a proxy in front of us may read in another way: where the body ends, and whom the request
 * is meant for. Nobody knows where the next request begins then, so the connection ends.
 */
export function unambiguousMiddleware(request: Request, response: Response, next: NextFunction): void {
  if (isUnambiguous(request)) return next();
  response.setHeader('Connection', 'close');
  throw new MalformedRequest();
}

function isUnambiguous({ headers, rawHeaders, url }: Request): boolean {
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return false;
  return hostsIn(rawHeaders) <= 1 && (url.startsWith('/') || url === '*' || isMeantFor(headers.host, url));
}

/** Node keeps the first of several. */
function hostsIn(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  return hosts;
}

/** An absolute address (RFC 9112, 3.2.2) names its host itself. */
function isMeantFor(host: string | undefined, url: string): boolean {
  return URL.canParse(url) && new URL(url).host === host?.toLowerCase();
}
