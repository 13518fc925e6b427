import { isUtf8 } from 'node:buffer';
import { type Datatype, emptyData, type Tensor, type TensorData } from '../../runtime/tensor';
import { InvalidValue, TextNotRepresentable } from '../../runtime/runtime.errors';
import { BinaryMalformed } from './open-inference.errors';

/** Bytes of one element; BYTES have no fixed size. */
export const ELEMENT_BYTES: Readonly<Record<Exclude<Datatype, 'BYTES'>, number>> = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  FP32: 4,
  FP64: 8,
};
const LENGTH_BYTES = 4;

/** What the bytes of a tensor are to become. */
export interface BinaryTarget {
  readonly input: string;
  readonly model: string;
  readonly datatype: Datatype;
  /** How many elements the shape says. */
  readonly length: number;
}

/** @throws BinaryMalformed where so many bytes are not what the shape says; of BYTES the least size is known only */
export function refuseByteSize(size: number, { input, model, datatype, length }: BinaryTarget): void {
  const least = length * (datatype === 'BYTES' ? LENGTH_BYTES : ELEMENT_BYTES[datatype]);
  if (datatype === 'BYTES' ? size >= least && (length > 0 || size === 0) : size === least) return;
  throw wrongSize(input, model, `${datatype === 'BYTES' && length > 0 ? 'at least ' : ''}${least} bytes`, size);
}

/**
 * The elements of a tensor from its little-endian bytes: a view on them where their place in memory allows it, else a copy. No room is
 * made for elements whose bytes did not come.
 * @throws BinaryMalformed, InvalidValue (a BOOL that is neither 0 nor 1), TextNotRepresentable
 */
export function dataFromBytes(bytes: Buffer, target: BinaryTarget): TensorData {
  refuseByteSize(bytes.length, target);
  if (target.datatype === 'BYTES') return texts(bytes, target);
  if (target.datatype === 'BOOL') refuseOddTruths(bytes, target.input);
  return numbers(bytes, target.datatype, target.length);
}

/** The little-endian bytes of a tensor's elements: a view on them, but for BYTES. */
export function bytesFromData({ datatype, data }: Tensor): Buffer {
  if (datatype === 'BYTES') return textBytes(data as readonly string[]);
  const { buffer, byteOffset, byteLength } = data as Uint8Array<ArrayBuffer>;
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** The one text that is the whole of some bytes. @throws TextNotRepresentable */
export function textFrom(bytes: Buffer, where: string): string {
  if (!isUtf8(bytes)) throw new TextNotRepresentable(where, 'a text in UTF-8');
  if (bytes.includes(0)) throw new TextNotRepresentable(where, 'a text without NUL');
  return bytes.toString('utf8');
}

/** Node runs on little-endian machines only, as far as there are engines for it. */
function numbers(bytes: Buffer, datatype: Exclude<Datatype, 'BYTES'>, length: number): TensorData {
  const kind = emptyData(datatype, 0).constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => Uint8Array;
  const aligned = bytes.byteOffset % ELEMENT_BYTES[datatype] === 0;
  const { buffer, byteOffset } = aligned ? bytes : new Uint8Array(bytes);
  return new kind(buffer, byteOffset, length);
}

function refuseOddTruths(bytes: Buffer, input: string): void {
  for (let at = 0; at < bytes.length; at++) {
    if ((bytes[at] as number) > 1) throw new InvalidValue(`${input}[${at}]`, '0 or 1', bytes[at]);
  }
}

function texts(bytes: Buffer, { input, model, length }: BinaryTarget): readonly string[] {
  const found: string[] = [];
  let at = 0;
  for (let index = 0; index < length; index++) {
    const start = at + LENGTH_BYTES;
    const end = start <= bytes.length ? start + bytes.readUInt32LE(at) : start;
    if (end > bytes.length) throw wrongSize(`${input}[${index}]`, model, `${end - at} bytes`, bytes.length - at);
    found.push(textFrom(bytes.subarray(start, end), `${input}[${index}]`));
    at = end;
  }
  if (at !== bytes.length) throw wrongSize(input, model, `${at} bytes`, bytes.length);
  return found;
}

function textBytes(elements: readonly string[]): Buffer {
  const sizes = elements.map((text) => Buffer.byteLength(text));
  const bytes = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + LENGTH_BYTES + size, 0));
  let at = 0;
  for (const [index, text] of elements.entries()) {
    at = bytes.writeUInt32LE(sizes[index] as number, at);
    at += bytes.write(text, at);
  }
  return bytes;
}

function wrongSize(field: string, model: string, expected: string, actual: number): BinaryMalformed {
  return new BinaryMalformed(`Byte size mismatch for the input "${field}" of the model "${model}"`, {
    field,
    expected,
    actual: `${actual} bytes`,
  });
}
