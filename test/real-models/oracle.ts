import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Datatype, emptyData, elementsOf, type Tensor } from '../../src/runtime/tensor';

interface Written {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: readonly (number | string | boolean)[];
}

/** A model that a real trainer made, and what that trainer itself computes with it (`train.py`). */
export interface RealModel {
  readonly name: string;
  readonly trainer: string;
  readonly exporter: string;
  readonly what: string;
  readonly bytes: Buffer;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly labels?: readonly (number | string)[];
}

/** Every one of this folder, by name. */
export function realModels(): readonly RealModel[] {
  const names = readdirSync(__dirname).filter((name) => name.endsWith('.onnx'));
  return names.sort().map((name) => {
    const written = JSON.parse(readFileSync(join(__dirname, name.replace(/onnx$/, 'json')), 'utf8')) as RealModel & {
      readonly inputs: readonly Written[];
      readonly outputs: readonly Written[];
    };
    const bytes = readFileSync(join(__dirname, name));
    return { ...written, bytes, inputs: written.inputs.map(tensorOf), outputs: written.outputs.map(tensorOf) };
  });
}

/** The greatest difference of two tensors: of numbers |a - b| / max(1, |b|), of whole numbers and texts 0 where equal, else infinity. */
export function deviation(actual: Tensor | undefined, expected: Tensor): number {
  if (actual?.datatype !== expected.datatype || actual.shape.join() !== expected.shape.join()) return Number.POSITIVE_INFINITY;
  const exact = expected.datatype !== 'FP32' && expected.datatype !== 'FP64';
  return Array.from(expected.data as ArrayLike<unknown>).reduce((most: number, b, at) => {
    const a = actual.data[at];
    if (exact) return a === b ? most : Number.POSITIVE_INFINITY;
    return Math.max(most, Math.abs((a as number) - (b as number)) / Math.max(1, Math.abs(b as number)));
  }, 0);
}

function tensorOf({ name, datatype, shape, data }: Written): Tensor {
  const whole = datatype === 'INT64' || datatype === 'UINT64';
  const elements = emptyData(datatype, elementsOf(shape)) as { [at: number]: unknown };
  for (const [at, value] of data.entries()) elements[at] = whole ? BigInt(value) : value;
  return { name, datatype, shape, data: elements as unknown as Tensor['data'] };
}
