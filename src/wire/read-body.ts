import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { hasCode } from '../errors/has-code';
import { askForBody } from './expectation';
import { watchBody } from './slow-bodies';
import { BodyAborted, BodyTooLarge, MalformedEncoding, UnsupportedMediaType } from './wire.errors';

/** How large a body may be, and how long it may take to arrive. */
export interface BodyLimits {
  readonly maxBytes: number;
  readonly bodySeconds: number;
}

/** Reads a body as it is. @throws UnsupportedMediaType, BodyTooLarge (before the rest is read), BodyTooSlow, BodyAborted */
export async function readBody(request: IncomingMessage, limits: BodyLimits): Promise<Buffer> {
  refuseEncoding(request);
  return receive(request, limits);
}

const DECODERS = { gzip: promisify(gunzip), deflate: promisify(inflate) } as const;

/**
 * Reads a body that may be compressed; the limit holds for what arrives, and for what becomes of it.
 * @throws UnsupportedMediaType, BodyTooLarge, BodyTooSlow, BodyAborted, MalformedEncoding
 */
export function readEncodedBody(request: IncomingMessage, limits: BodyLimits): Promise<Buffer> {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  return encoding === 'identity' ? receive(request, limits) : receiveEncoded(encoding, request, limits);
}

async function receiveEncoded(encoding: string, request: IncomingMessage, limits: BodyLimits): Promise<Buffer> {
  if (encoding !== 'gzip' && encoding !== 'deflate') {
    throw new UnsupportedMediaType('Content-Encoding', 'gzip, deflate or absent', encoding.slice(0, 80));
  }
  const body = await receive(request, limits);
  try {
    return await DECODERS[encoding](body, { maxOutputLength: limits.maxBytes });
  } catch (cause) {
    if (hasCode(cause, 'ERR_BUFFER_TOO_LARGE')) throw new BodyTooLarge(limits.maxBytes);
    throw new MalformedEncoding(encoding, { cause });
  }
}

/** Bodies are taken as they are. @throws UnsupportedMediaType for any Content-Encoding */
export function refuseEncoding(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw new UnsupportedMediaType('Content-Encoding', 'absent', encoding);
}

function receive(request: IncomingMessage, { maxBytes, bodySeconds }: BodyLimits): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) return reject(new BodyTooLarge(maxBytes));
    askForBody(request);
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
    request.on('end', () => {
      watchEnds();
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    });
    request.on('error', (cause) => {
      watchEnds();
      reject(new BodyAborted({ cause }));
    });
  });
}
