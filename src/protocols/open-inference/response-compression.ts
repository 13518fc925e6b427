import { promisify } from 'node:util';
import { deflate, gzip } from 'node:zlib';

const CODINGS = { gzip: promisify(gzip), deflate: promisify(deflate) } as const;

/** A content coding that answers can have. */
export type Coding = keyof typeof CODINGS;

/** Smaller bodies are not worth it. */
const MIN_BYTES = 1024;
const LEVEL = 1;

/** The coding that a caller likes best, by `Accept-Encoding` (RFC 9110, 12.5.3); undefined: none at all. */
export function codingFor(accepted: string | undefined, bytes: number): Coding | undefined {
  if (accepted === undefined || bytes < MIN_BYTES) return undefined;
  const weights = weightsOf(accepted);
  const weight = (coding: string): number => weights.get(coding) ?? weights.get('*') ?? 0;
  const best: Coding = weight('deflate') > weight('gzip') ? 'deflate' : 'gzip';
  return weight(best) > 0 && weight(best) >= (weights.get('identity') ?? 0) ? best : undefined;
}

/** Fast rather than small. */
export function compressed(body: Buffer, coding: Coding): Promise<Buffer> {
  return CODINGS[coding](body, { level: LEVEL });
}

/** What is no weight counts as zero. */
function weightsOf(accepted: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const item of accepted.toLowerCase().split(',')) {
    const [coding = '', ...parameters] = item.split(';').map((part) => part.trim());
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice('q='.length) ?? '1';
    weights.set(coding === 'x-gzip' ? 'gzip' : coding, /^[01](\.\d{0,3})?$/.test(weight) ? Number(weight) : 0);
  }
  return weights;
}
