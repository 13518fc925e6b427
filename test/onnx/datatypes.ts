import { identity } from './models';
import { DTYPE } from './onnx-writer';

/** A model that gives back one column of a datatype. */
export function identityOf(datatype: keyof typeof DTYPE): Buffer {
  return identity(DTYPE[datatype], [null, 1]);
}

/** Name, datatype, what is sent, and what comes back where that is something else. */
export const DTYPE_MODELS: readonly (readonly [string, keyof typeof DTYPE, unknown, unknown?])[] = [
  ['fp32', 'float32', 0.5],
  ['fp64', 'float64', 0.1],
  ['int8', 'int8', -128],
  ['uint8', 'uint8', 255],
  ['int16', 'int16', -32768],
  ['uint16', 'uint16', 65535],
  ['int32', 'int32', -2147483648],
  ['uint32', 'uint32', 4294967295],
  ['int64', 'int64', '-9007199254740993'],
  ['int64-small', 'int64', 42],
  ['uint64', 'uint64', '18446744073709551615'],
  ['bool', 'bool', true],
  ['text', 'string', 'žluťoučký 🐎'],
];
