import { InputsMismatch, ShapeMismatch } from '../../inference/inference.errors';
import { elementsOf, type Tensor, type TensorSpec } from '../../runtime/tensor';
import { dataFromBytes, ELEMENT_BYTES, textFrom } from './binary-tensors';
import type { Asked, InferRequest } from './infer-request';
import { shown } from './json-elements';
import { BinaryMalformed } from './open-inference.errors';
import { allBinary } from './requested-outputs';

/**
 * Decodes a body that is nothing but the bytes of the model's only input; all outputs are asked for as bytes. The shape is the
 * model's own, and a free dimension as long as the bytes make it; where two are free and the first is one of them, that one is 1.
 * A text comes without its length.
 * @throws InputsMismatch, ShapeMismatch where the shape does not follow from the bytes; as dataFromBytes
 */
export function decodeRaw(body: Buffer, { model, signature }: Asked): InferRequest {
  const [spec, ...more] = signature.inputs;
  if (spec === undefined || more.length > 0) {
    throw new InputsMismatch(signature.inputs.map(({ name }) => name), ['one input, raw']); // prettier-ignore
  }
  const { name, datatype, shape } = spec;
  const input = datatype === 'BYTES' ? textOf(body, spec) : numbersOf(body, { name, datatype, shape }, model);
  return { inputs: [input], forms: allBinary(signature).forms };
}

interface NumbersSpec extends TensorSpec {
  readonly datatype: Exclude<TensorSpec['datatype'], 'BYTES'>;
}

function textOf(body: Buffer, { name, shape: spec }: TensorSpec): Tensor {
  const shape = spec.map((dimension, axis) => (dimension === -1 && axis === 0 ? 1 : dimension));
  if (shape.some((dimension) => dimension !== 1)) {
    throw new ShapeMismatch(name, `a model whose input is one text: the shape is ${shown(spec)}`, 'a raw body');
  }
  return { name, datatype: 'BYTES', shape, data: [textFrom(body, name)] };
}

function numbersOf(body: Buffer, spec: NumbersSpec, model: string): Tensor {
  const { name, datatype } = spec;
  const shape = deduced(body.length, spec, model);
  return { name, datatype, shape, data: dataFromBytes(body, { input: name, model, datatype, length: elementsOf(shape) }) };
}

function deduced(size: number, { name, datatype, shape: spec }: NumbersSpec, model: string): readonly number[] {
  const free = spec.flatMap((dimension, axis) => (dimension === -1 ? [axis] : []));
  const open = free.length === 2 && free[0] === 0 ? free.slice(1) : free;
  if (open.length > 1) throw new ShapeMismatch(name, `one free dimension at most: the shape is ${shown(spec)}`, 'a raw body');
  const [axis] = open;
  const shape = spec.map((dimension) => (dimension === -1 ? 1 : dimension));
  if (axis === undefined) return shape;
  const step = elementsOf(shape) * ELEMENT_BYTES[datatype];
  if (size > 0 && size % step === 0) return shape.with(axis, size / step);
  throw new BinaryMalformed(`Byte size mismatch for the input "${name}" of the model "${model}"`, {
    field: name,
    expected: `a multiple of ${step} bytes for ${shown(spec)}`,
    actual: `${size} bytes`,
  });
}
