import { isAscii } from 'node:buffer';
import { inexactWholes, parseExactly } from './exact-wholes';
import { type JsonRules, scanJson } from './json-scan';
import { MalformedJson } from './wire.errors';

/** Of what people write: requests of the management API, files. */
const MANAGEMENT: JsonRules = { maxDepth: 32, maxKeys: 1000 };
/** Of what programs write: tensors, and what is told by the name of a feature. */
const TENSORS: JsonRules = { maxDepth: 64, maxKeys: 16_384 };

/**
 * Reads JSON that means one thing to every reader. Numbers are told exactly, or refused.
 * @throws MalformedJson for what JSON.parse or scanJson refuses, what is not UTF-8, a whole number beyond 2^53 (which text can
 *   tell), and a number beyond all doubles
 */
export function parseJson(body: Uint8Array, rules: Partial<JsonRules> = {}): unknown {
  const { value, text } = parse(body, { ...MANAGEMENT, ...rules });
  if (hasInexact(value)) refuseInexact(value, text);
  return value;
}

/**
 * Reads the JSON of a prediction: deeper and with more keys than others, and numbers as JSON.parse takes them.
 * @throws MalformedJson for what JSON.parse or scanJson refuses, and what is not UTF-8
 */
export function parseTensorJson(body: Uint8Array): TensorJson {
  const { value, text } = parse(body, TENSORS);
  return new TensorJson(value, text);
}

/** The JSON of a prediction. */
export class TensorJson {
  /** @param value as JSON.parse gives it: whole numbers beyond 2^53 are rounded, 1e999 is infinite */
  constructor(
    readonly value: unknown,
    private readonly text: string,
  ) {}

  /**
   * The same value, but whole numbers beyond 2^53 that are written without point and exponent are bigints. Costs a walk, and where
   * there is such a number a second parse.
   */
  exact(): unknown {
    return hasInexact(this.value) ? parseExactly(this.text) : this.value;
  }
}

/** What other languages write into their JSON. */
const NO_NUMBERS = /[[,:]\s*-?(NaN|Infinity)\s*[\],}]/;
const NUMBERS = 'numbers; in the tensors of /v2 and /v1 null is NaN, and /v2 takes them as bytes';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parse(body: Uint8Array, rules: JsonRules): { readonly value: unknown; readonly text: string } {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  refuseEncoding(bytes);
  scanJson(bytes, rules);
  const text = isAscii(bytes) ? bytes.toString('latin1') : decode(bytes);
  try {
    return { value: JSON.parse(text) as unknown, text };
  } catch (cause) {
    if (NO_NUMBERS.test(text)) throw new MalformedJson('it has NaN or Infinity', { expected: NUMBERS, cause });
    throw new MalformedJson((cause as Error).message, { cause });
  }
}

function refuseEncoding(bytes: Buffer): void {
  const [first, second] = bytes;
  if (first === undefined) throw new MalformedJson('it is empty');
  if (first === 0xef && second === 0xbb && bytes[2] === 0xbf) throw new MalformedJson('it begins with a byte order mark');
  const utf16 = first === 0 || second === 0 || (first === 0xfe && second === 0xff) || (first === 0xff && second === 0xfe);
  if (utf16) throw new MalformedJson('it is UTF-16 or UTF-32, not UTF-8');
}

function decode(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw new MalformedJson('it is not UTF-8', { cause });
  }
}

/** Whether a number is so large that it need not be the one that was written: beyond 2^53 each is a whole one. */
function hasInexact(value: unknown): boolean {
  if (typeof value === 'number') return Math.abs(value) > Number.MAX_SAFE_INTEGER;
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) ? value.some(hasInexact) : Object.values(value).some(hasInexact);
}

function refuseInexact(value: unknown, text: string): void {
  if (hasInfinite(value)) throw new MalformedJson('a number beyond all doubles', { expected: 'numbers that a double can hold' });
  for (const [, whole] of inexactWholes(text)) {
    throw new MalformedJson(`the whole number ${whole.slice(0, 40)}`, { expected: 'whole numbers beyond 2^53 as text' });
  }
}

function hasInfinite(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) ? value.some(hasInfinite) : Object.values(value).some(hasInfinite);
}
