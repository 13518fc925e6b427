import type { IncomingMessage } from 'node:http';
import { readBody, refuseEncoding } from './read-body';
import { parseJson } from './strict-json';
import { UnsupportedMediaType } from './wire.errors';

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
  return parseJson(await readJsonText(request, limits));
}

/** Reads a body that says that it is JSON, without parsing it. @throws as readJson, but MalformedJson */
export async function readJsonText(request: IncomingMessage, { maxJsonBytes, bodySeconds }: JsonLimits): Promise<Buffer> {
  refuseEncoding(request);
  const type = contentTypeOf(request);
  if (!JSON_TYPE.test(type)) throw new UnsupportedMediaType('Content-Type', 'application/json', type);
  return readBody(request, { maxBytes: maxJsonBytes, bodySeconds });
}

/** The one content type of a request; several, of which Node would tell the first only, are joined and so are none. */
export function contentTypeOf(request: IncomingMessage): string {
  return request.headersDistinct['content-type']?.join(', ') ?? 'none';
}
