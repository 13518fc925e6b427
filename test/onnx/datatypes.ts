import { identity } from './models';
import { DTYPE } from './onnx-writer';

/** A model that gives back one column of a datatype. */
export function identityOf(datatype: keyof typeof DTYPE): Buffer {
  return identity(DTYPE[datatype], [null, 1]);
}

/** A model of each datatype that JSON can carry: its name, the datatype, and a value that must come back as it was sent. */
export const DATATYPE_MODELS: readonly { readonly name: string; readonly datatype: keyof typeof DTYPE; readonly value: unknown }[] = [
  { name: 'fp16', datatype: 'float16', value: 0.5 },
  { name: 'fp32', datatype: 'float32', value: 0.5 },
  { name: 'fp64', datatype: 'float64', value: 0.1 },
  { name: 'int8', datatype: 'int8', value: -128 },
  { name: 'uint8', datatype: 'uint8', value: 255 },
  { name: 'int16', datatype: 'int16', value: -32768 },
  { name: 'uint16', datatype: 'uint16', value: 65535 },
  { name: 'int32', datatype: 'int32', value: -2147483648 },
  { name: 'uint32', datatype: 'uint32', value: 4294967295 },
  { name: 'int64', datatype: 'int64', value: '-9007199254740993' },
  { name: 'int64-small', datatype: 'int64', value: 42 },
  { name: 'uint64', datatype: 'uint64', value: '18446744073709551615' },
  { name: 'bool', datatype: 'bool', value: true },
  { name: 'text', datatype: 'string', value: 'žluťoučký 🐎' },
];
