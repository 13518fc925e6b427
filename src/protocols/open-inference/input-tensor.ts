import { DatatypeMismatch, ShapeMismatch } from '../../inference/inference.errors';
import { DATATYPES, type Datatype, elementsOf, type Tensor, type TensorSpec } from '../../runtime/tensor';
import { MalformedBody } from '../../wire/wire.errors';
import type { BinaryReader } from './binary-reader';
import { dataFromBytes, refuseByteSize } from './binary-tensors';
import { elementsFromJson, shown } from './json-elements';
import { arrayOf, countOf, membersOf, optionalMembersOf, textOf } from './members';
import { DatatypeUnknown, NoJsonForm } from './open-inference.errors';

const MAX_RANK = 32;
const ONE_OF = 'exactly one of data and parameters.binary_data_size';
/** How long free dimensions may be, multiplied, where another one is zero: the engine may make room for them. */
const MAX_FREE_WHERE_EMPTY = 65_536;

/** An input as a request tells it, before it is known what the model takes. */
export interface DeclaredInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly datatype: Datatype;
  readonly data?: readonly unknown[];
  readonly binarySize?: number;
}

/** @param field where it stands in the request, for errors  @throws MalformedBody, DatatypeUnknown */
export function declaredInput(value: unknown, field: string): DeclaredInput {
  const input = membersOf(value, field);
  const name = textOf(input['name'], `${field}.name`);
  const shape = shapeOf(input['shape'], `${field}.shape`);
  const datatype = textOf(input['datatype'], `${field}.datatype`);
  if (!(DATATYPES as readonly string[]).includes(datatype)) throw new DatatypeUnknown(name.slice(0, 80), datatype);
  return { name, shape, datatype: datatype as Datatype, ...sourceOf(input['data'], input['parameters'], field) };
}

/**
 * The tensor of an input that the model knows.
 * @throws DatatypeMismatch, ShapeMismatch, NoJsonForm, and as dataFromBytes and elementsFromJson do
 */
export function tensorOf(input: DeclaredInput, spec: TensorSpec, model: string, binary: BinaryReader): Tensor {
  const { name, shape, datatype, data, binarySize } = input;
  if (datatype !== spec.datatype) throw new DatatypeMismatch(name, spec.datatype, datatype);
  const length = elementsOf(shape);
  if (length === 0) refuseHugeEmpty(name, shape, spec.shape);
  if (binarySize !== undefined) {
    const target = { input: name, model, datatype, length };
    refuseByteSize(binarySize, target);
    return { name, datatype, shape, data: dataFromBytes(binary.take(binarySize, name), target) };
  }
  if (datatype === 'FP16') throw new NoJsonForm(name, datatype, 'its bytes behind the JSON, and parameters.binary_data_size');
  return { name, datatype, shape, data: elementsFromJson({ name, datatype, shape }, data ?? []) };
}

function shapeOf(value: unknown, field: string): readonly number[] {
  const shape = arrayOf(value, field);
  if (shape.length <= MAX_RANK) return shape.map((dimension, at) => countOf(dimension, `${field}[${at}]`));
  throw new MalformedBody(`${field} has too many dimensions`, {
    field,
    expected: `at most ${MAX_RANK} dimensions`,
    actual: `${shape.length} dimensions`,
  });
}

/** Null data is none: some clients send it beside binary_data_size. */
function sourceOf(data: unknown, given: unknown, field: string): Pick<DeclaredInput, 'data' | 'binarySize'> {
  const parameters = optionalMembersOf(given, `${field}.parameters`);
  if ('shared_memory_region' in parameters) {
    throw new MalformedBody('Shared memory is not offered: send the elements', { field, expected: ONE_OF, actual: 'shared_memory_region' });
  }
  const size = parameters['binary_data_size'] ?? undefined;
  const has = { data: data !== undefined && data !== null, size: size !== undefined };
  if (has.data === has.size) {
    throw new MalformedBody(`${field} must have ${ONE_OF}`, { field, expected: ONE_OF, actual: has.data ? 'both' : 'neither' });
  }
  return has.data ? { data: arrayOf(data, `${field}.data`) } : { binarySize: countOf(size, `${field}.parameters.binary_data_size`) };
}

function refuseHugeEmpty(name: string, shape: readonly number[], spec: readonly number[]): void {
  const free = shape.filter((dimension, axis) => dimension > 0 && spec[axis] === -1);
  if (elementsOf(free) <= MAX_FREE_WHERE_EMPTY) return;
  throw new ShapeMismatch(name, `free dimensions of at most ${MAX_FREE_WHERE_EMPTY} where another is 0`, shown(shape));
}
