import { toHalf } from '../half';
import { type Datatype, elementsOf, emptyData, type Tensor, type TensorSpec } from '../tensor';

/** All zero or empty. @param rows the first dimension where it is free; other free dimensions are 1 */
export function zeroTensor({ name, datatype, shape }: TensorSpec, rows = 1): Tensor {
  const concrete = shape.map((dimension, axis) => (dimension !== -1 ? dimension : axis === 0 ? rows : 1));
  return { name, datatype, shape: concrete, data: emptyData(datatype, elementsOf(concrete)) };
}

/** Numbers from -0.5 to 0.5; whole numbers 0 and 1, which are good indices; texts of one letter. @param rows as zeroTensor */
export function randomTensor(spec: TensorSpec, rows = 1): Tensor {
  const tensor = zeroTensor(spec, rows);
  const elements = tensor.data as { [at: number]: unknown; readonly length: number };
  for (let at = 0; at < elements.length; at++) elements[at] = randomElement(spec.datatype);
  return tensor;
}

function randomElement(datatype: Datatype): number | bigint | string {
  const coin = Math.random() < 0.5 ? 0 : 1;
  if (datatype === 'FP32' || datatype === 'FP64') return Math.random() - 0.5;
  if (datatype === 'FP16') return toHalf(Math.random() - 0.5);
  if (datatype === 'INT64' || datatype === 'UINT64') return BigInt(coin);
  return datatype === 'BYTES' ? 'ab'.charAt(coin) : coin;
}
