import { type DataType, tensor as makeTensor, type Tensor as TfjsTensor, type TypedArray } from '@tensorflow/tfjs-core';
import type { Datatype, Tensor } from '../tensor';
import { TfjsError } from './tfjs-error';

const DATATYPES: Readonly<Partial<Record<DataType, Datatype>>> = { float32: 'FP32', int32: 'INT32', bool: 'BOOL', string: 'BYTES' };
const NAMES = new Map(Object.entries(DATATYPES).map(([name, datatype]) => [datatype, name as DataType]));

/** @throws TfjsError where the library has it only */
export function datatypeOf(dtype: DataType, name: string): Datatype {
  const datatype = DATATYPES[dtype];
  if (datatype === undefined) throw new TfjsError(`"${name}" has the datatype ${dtype}, which is not served`);
  return datatype;
}

/** What the library computes with; whoever makes it disposes it. */
export function toTfjs({ datatype, data, shape }: Tensor): TfjsTensor {
  return makeTensor(data as TypedArray | string[], [...shape], NAMES.get(datatype) as DataType);
}

/** @throws TfjsError for a datatype that is not served */
export function fromTfjs(name: string, tensor: TfjsTensor): Tensor {
  const { dtype, shape } = tensor;
  return { name, datatype: datatypeOf(dtype, name), shape: [...shape], data: tensor.dataSync() as Tensor['data'] };
}
