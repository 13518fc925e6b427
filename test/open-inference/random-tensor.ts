import { bytesOf, type ClientDatatype, type ClientTensor, SIZES, withLength } from './client';
import type { Random } from './random';

const FINITE = [0, -0, 1, -1, 0.1, 1e-45, 3.4028234663852886e38, 16_777_217, 5e-324, 2 ** 53];
const FLOATS = [...FINITE, Infinity, -Infinity];
const LETTERS = ['a', 'Z', '0', '"', '\\', '\n', '\u007f', 'ä', 'ß', '☃', '中', '🐎', '\u{10ffff}', '\ufeff', '\u2028', '\uffff', '{', ' '];

/** Up to three dimensions, the first of which may be 0; some have none. */
export function randomShape(random: Random): readonly number[] {
  const rank = random.below(4);
  return Array.from({ length: rank }, (_, axis) => (axis === 0 ? random.below(4) : 1 + random.below(3)));
}

/**
 * Any tensor of a datatype: every pattern of bits, NaNs with their payload among them.
 * @param finite what JSON can tell, too: no NaN and no infinity
 */
export function randomTensor(random: Random, datatype: ClientDatatype, shape: readonly number[], finite: boolean): ClientTensor {
  const length = shape.reduce((product, dimension) => product * dimension, 1);
  if (datatype === 'BYTES') return { datatype, shape, bytes: Buffer.concat(Array.from({ length }, () => withLength(text(random)))) };
  const bytes = random.bytes(length * SIZES[datatype]);
  if (datatype === 'BOOL') for (let at = 0; at < length; at++) bytes[at] = (bytes[at] as number) & 1;
  for (let at = 0; at < length; at++) spice(random, datatype, bytes, at, finite);
  return { datatype, shape, bytes };
}

function text(random: Random): Buffer {
  return Buffer.from(Array.from({ length: random.below(6) }, () => random.pick(LETTERS)).join(''));
}

/** Random bits seldom are the values at which codecs err. */
function spice(random: Random, datatype: ClientDatatype, bytes: Buffer, at: number, finite: boolean): void {
  if (datatype === 'FP32' || datatype === 'FP64') {
    const start = at * SIZES[datatype];
    const values = finite ? FINITE : FLOATS;
    const value = datatype === 'FP32' ? bytes.readFloatLE(start) : bytes.readDoubleLE(start);
    if (random.chance(4) || (finite && !Number.isFinite(value))) bytes.set(bytesOf(datatype, [random.pick(values)]), start);
  } else if (datatype === 'FP16' && random.chance(4)) {
    bytes.writeUInt16LE(random.pick([0x8000, 0x7c00, 0xfc00, 0x7c01, 0x7e00, 0xfdff, 0x0001]), at * 2);
  } else if (random.chance(8)) {
    bytes.fill(random.pick([0, 1]), at * SIZES[datatype], (at + 1) * SIZES[datatype]);
  } else if ((datatype === 'INT64' || datatype === 'UINT64') && random.chance(4)) {
    bytes.writeBigUInt64LE(random.pick([2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 63n - 1n]), at * 8);
  }
}
