import type { IncomingMessage } from 'node:http';
import { BodyTooLarge } from '../../wire/wire.errors';
import { BinaryMalformed } from './open-inference.errors';

/** The header that says how many bytes of a body are JSON; the tensors' bytes follow. */
export const JSON_LENGTH_HEADER = 'Inference-Header-Content-Length';

/** A body in its two parts. */
export interface BodyParts {
  /** Undefined: the whole body is one tensor, raw. */
  readonly json?: Buffer;
  /** Undefined: the whole body is JSON. */
  readonly binary?: Buffer;
}

/** How many bytes of a body are JSON; undefined: all, 0: none. @throws BinaryMalformed where the header is no number, or comes twice */
export function jsonLengthOf({ headersDistinct }: IncomingMessage): number | undefined {
  const given = headersDistinct['inference-header-content-length'];
  if (given === undefined) return undefined;
  const [text = ''] = given;
  if (given.length === 1 && /^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new BinaryMalformed(`${JSON_LENGTH_HEADER} must come once and be a number of bytes`, {
    field: JSON_LENGTH_HEADER,
    expected: 'one whole number from 0 on',
    actual: given.join(', ').slice(0, 80),
  });
}

/**
 * Cuts a body, as it is after decompression, in its two parts.
 * @throws BinaryMalformed where the JSON would be longer than the body, BodyTooLarge where it is larger than JSON may be
 */
export function partsOf(body: Buffer, jsonLength: number | undefined, maxJsonBytes: number): BodyParts {
  if (jsonLength === undefined) return { json: body };
  if (jsonLength === 0) return { binary: body };
  if (jsonLength > body.length) {
    throw new BinaryMalformed(`${JSON_LENGTH_HEADER} is larger than the body`, {
      field: JSON_LENGTH_HEADER,
      expected: `at most ${body.length} bytes`,
      actual: `${jsonLength} bytes`,
    });
  }
  if (jsonLength > maxJsonBytes) throw new BodyTooLarge(maxJsonBytes);
  return { json: body.subarray(0, jsonLength), binary: body.subarray(jsonLength) };
}
