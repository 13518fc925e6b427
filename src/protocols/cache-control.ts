import type { IncomingMessage } from 'node:http';
import { ApiHeader } from '@nestjs/swagger';
import type { InferenceCall } from '../inference/inference-call';

/** Documents the header that `cachingOf` reads. */
export const ApiCacheControl = ApiHeader({
  name: 'Cache-Control',
  required: false,
  description: '`no-cache`: compute the answer anew, and keep it; `no-store`: compute it, and keep nothing',
});

/** What a caller says of the cache (RFC 9111, 5.2.1); of both words the stricter. Other directives say nothing to it. */
export function cachingOf({ headers }: IncomingMessage): InferenceCall['caching'] {
  const text = headers['cache-control'];
  if (text === undefined) return undefined;
  const said = new Set(text.split(',').map((directive) => directive.trim().toLowerCase()));
  return (['no-store', 'no-cache'] as const).find((word) => said.has(word));
}
