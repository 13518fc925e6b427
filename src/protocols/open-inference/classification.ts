import type { VersionRecord } from '../../models/registry/registry-records';
import { elementsOf, type Tensor, type TensorData } from '../../runtime/tensor';
import { NotClassifiable } from './open-inference.errors';

const MAX_ELEMENTS = 1_000_000;
const TOO_LARGE_FOR_FIXED = 1e21;

type Labels = readonly (string | number)[];

/**
 * The greatest elements of an output as texts `value:index` or `value:index:label`, the greatest first, NaN last. Of a matrix, or more,
 * each row on its own.
 * @param classes how many are wanted; there are never more than elements  @throws NotClassifiable where there are too many elements
 */
export function classified(output: Tensor, classes: number, { manifest, labels: own }: Pick<VersionRecord, 'manifest' | 'labels'>): Tensor {
  const { name, data, shape, datatype } = output;
  if (data.length > MAX_ELEMENTS) throw new NotClassifiable(name, `at most ${MAX_ELEMENTS} elements`, `${data.length} elements`);
  const batch = shape.length > 1 ? (shape[0] as number) : undefined;
  const width = elementsOf(batch === undefined ? shape : shape.slice(1));
  const count = Math.min(classes, width);
  const tell = teller(data, datatype === 'FP32' || datatype === 'FP64', manifest.metadata.labels ?? own ?? []);
  const texts: string[] = [];
  for (let row = 0; row < (batch ?? 1); row++) {
    for (const index of greatest(data, row * width, width, count)) texts.push(tell(row * width + index, index));
  }
  return { name, datatype: 'BYTES', shape: batch === undefined ? [count] : [batch, count], data: texts };
}

/** Indices of the greatest elements of a row; of equal ones the first comes first. */
function greatest(data: TensorData, offset: number, width: number, count: number): Uint32Array {
  const indices = Uint32Array.from({ length: width }, (_, index) => index);
  return indices.sort((a, b) => descending(data[offset + a] as number, data[offset + b] as number) || a - b).subarray(0, count);
}

function descending(a: number | bigint, b: number | bigint): number {
  if (a > b) return -1;
  if (a < b) return 1;
  return a === b ? 0 : Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}

function teller(data: TensorData, float: boolean, labels: Labels): (at: number, index: number) => string {
  return (at, index) => {
    const value = float ? sixDecimals(data[at] as number) : String(data[at]);
    return index < labels.length ? `${value}:${index}:${labels[index]}` : `${value}:${index}`;
  };
}

/** As C++ prints a number: six decimals, `nan`, `inf`. */
function sixDecimals(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return Math.abs(value) < TOO_LARGE_FOR_FIXED ? value.toFixed(6) : `${BigInt(value)}.000000`;
}
