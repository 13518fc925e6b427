import type { IncomingMessage } from 'node:http';
import { hasCode } from '../errors/has-code';
import { askForBody } from './expectation';
import { watchBody } from './slow-bodies';
import { BodyAborted, BodyTooLarge, MalformedJson, UnsupportedMediaType } from './wire.errors';

const JSON_TYPE = /^application\/json(; *charset=(utf-8|"utf-8"))?$/i;

/** How large a body may be, and how long it may take to arrive. */
export interface JsonLimits {
  readonly maxJsonBytes: number;
  readonly bodySeconds: number;
}

/**
 * Reads a JSON body.
 * @throws UnsupportedMediaType, BodyTooLarge (before the rest is read), BodyTooSlow, BodyAborted, MalformedJson
 */
export async function readJson(request: IncomingMessage, limits: JsonLimits): Promise<unknown> {
  refuseEncoding(request);
  const type = contentTypeOf(request);
  if (!JSON_TYPE.test(type)) throw new UnsupportedMediaType('Content-Type', 'application/json', type);
  return parseJson(await readBody(request, limits));
}

/** The one content type of a request; several, of which Node would tell the first only, are joined and so are none. */
export function contentTypeOf(request: IncomingMessage): string {
  return request.headersDistinct['content-type']?.join(', ') ?? 'none';
}

/** Bodies are taken as they are. @throws UnsupportedMediaType for any Content-Encoding */
export function refuseEncoding(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw new UnsupportedMediaType('Content-Encoding', 'absent', encoding);
}

async function readBody(request: IncomingMessage, { maxJsonBytes: maxBytes, bodySeconds }: JsonLimits): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw new BodyTooLarge(maxBytes);
  askForBody(request);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const watchEnds = watchBody(request, { maxMs: bodySeconds * 1000 }, reject);
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) return void chunks.push(chunk);
      watchEnds();
      request.pause();
      reject(new BodyTooLarge(maxBytes));
    });
    request.once('end', () => {
      watchEnds();
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    });
    request.once('error', (cause) => {
      watchEnds();
      reject(new BodyAborted({ cause }));
    });
  });
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws MalformedJson */
export function parseJson(body: Uint8Array): unknown {
  if (body.length === 0) throw new MalformedJson('it is empty');
  try {
    return JSON.parse(UTF8.decode(body));
  } catch (cause) {
    throw new MalformedJson(hasCode(cause, 'ERR_ENCODING_INVALID_ENCODED_DATA') ? 'it is not UTF-8' : (cause as Error).message, { cause });
  }
}
