import type { Chance } from '../crash/power-cut-random';
import { message, varint } from './raw-onnx';

/** Messages of onnx.proto: the fields of each that hold messages, and which. */
const NESTED: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  Model: { 7: 'Graph', 8: 'Opset', 20: 'Training', 25: 'Function' },
  Training: { 1: 'Graph', 2: 'Graph' },
  Function: { 7: 'Node', 9: 'Opset' },
  Graph: { 1: 'Node', 5: 'Tensor', 11: 'Value', 12: 'Value', 13: 'Value', 15: 'Sparse' },
  Node: { 5: 'Attribute' },
  Attribute: { 5: 'Tensor', 6: 'Graph', 10: 'Tensor', 11: 'Graph', 22: 'Sparse' },
  Sparse: { 1: 'Tensor', 2: 'Tensor' },
  Value: { 2: 'Type' },
  Type: { 1: 'TensorType', 4: 'Inner', 5: 'Map', 8: 'TensorType', 9: 'Inner' },
  Inner: { 1: 'Type' },
  Map: { 2: 'Type' },
  TensorType: { 2: 'Shape' },
  Shape: { 1: 'Dim' },
};

const OPS = [
  'Loop',
  'If',
  'Expand',
  'Tile',
  'Reshape',
  'Identity',
  'Add',
  'MatMul',
  'ZipMap',
  'Concat',
  'Resize',
  'NonZero',
  'Constant',
  '',
];
const NUMBERS = [0, 1, 2, 7, 8, 14, 16, 23, 127, 128, 2 ** 31, 2n ** 32n + 1n, 2n ** 53n, 2n ** 62n, 2n ** 63n, -1];

interface Field {
  number: number;
  wire: number;
  /** the bytes of a value other than a message, without their length */
  value: Buffer;
  readonly type: string;
  readonly inner: Field[] | undefined;
}

/** A damaged copy of an ONNX file: one to three changes, of its bits or of its messages and fields at any depth. */
export function mutate(bytes: Uint8Array, chance: Chance): Buffer {
  let mutant: Buffer = Buffer.from(bytes);
  for (let times = chance.whole(1, 3); times > 0; times--) {
    mutant = chance.whole(0, 2) === 0 ? mutateBytes(mutant, chance) : mutateFields(mutant, chance);
  }
  return mutant;
}

function mutateBytes(file: Buffer, chance: Chance): Buffer {
  if (file.length < 2) return file;
  const at = chance.whole(0, file.length - 1);
  const other = chance.whole(at, Math.min(file.length - 1, at + 64));
  const changed = Buffer.from(file);
  return chance.oneOf([
    () => (changed.writeUInt8(file.readUInt8(at) ^ (1 << chance.whole(0, 7)), at), changed),
    () => (changed.writeUInt8(chance.whole(0, 255), at), changed),
    () => file.subarray(0, at),
    () => Buffer.concat([file.subarray(0, at), file.subarray(other)]),
    () => Buffer.concat([file.subarray(0, other), file.subarray(at)]),
    () => Buffer.concat([file.subarray(0, at), varint(chance.oneOf(NUMBERS)), file.subarray(at)]),
  ])();
}

function mutateFields(file: Buffer, chance: Chance): Buffer {
  const fields = parse(file, 'Model');
  if (fields === undefined || fields.length === 0) return mutateBytes(file, chance);
  const [siblings, at] = pick(fields, chance);
  const field = siblings[at] as Field;
  const other = chance.whole(0, siblings.length - 1);
  chance.oneOf([
    () => siblings.splice(at, 1),
    () => siblings.splice(other, 0, ...Array<Field>(chance.whole(1, 40)).fill(field)),
    () => ([siblings[at], siblings[other]] = [siblings[other] as Field, field]),
    () => (field.number = chance.whole(1, 26)),
    () => (field.wire = chance.oneOf([0, 1, 2, 3, 5])),
    () => change(field, fields, chance),
    () => change(field, fields, chance),
    () => nest(field, chance),
  ])();
  return serialise(fields);
}

/** Other dims, dtypes, opsets, operators and inputs: a number becomes another one, a text another of the file or an operator. */
function change(field: Field, fields: Field[], chance: Chance): void {
  if (field.inner !== undefined) return;
  if (field.wire === 0) field.value = varint(chance.oneOf(NUMBERS));
  else if (field.type === 'Node') field.value = chance.oneOf([...textsOf(fields, 20), ...OPS.map((op) => Buffer.from(op))]);
  else field.value = Buffer.alloc(chance.whole(0, 64), chance.whole(0, 255));
}

/** A graph in an attribute within itself, some of them deeper than anything goes. */
function nest(field: Field, chance: Chance): void {
  if (field.inner === undefined) return;
  let inner = serialise(field.inner);
  for (let depth = chance.oneOf([1, 10, 50]); depth > 0; depth--) inner = message(1, message(5, message(6, inner)));
  field.inner.splice(0, field.inner.length, ...(parse(inner, field.type) ?? []));
}

function textsOf(fields: readonly Field[], most: number): Buffer[] {
  const names = fields.flatMap((field) => (field.inner ? textsOf(field.inner, most) : field.type === 'Node' ? [field.value] : []));
  return names.slice(0, most);
}

function pick(fields: Field[], chance: Chance): [siblings: Field[], at: number] {
  const at = chance.whole(0, fields.length - 1);
  const { inner } = fields[at] as Field;
  return inner !== undefined && inner.length > 0 && chance.whole(0, 5) > 0 ? pick(inner, chance) : [fields, at];
}

/** @returns undefined where it is no message */
function parse(source: Buffer, type: string): Field[] | undefined {
  const fields: Field[] = [];
  for (let at = 0; at < source.length;) {
    const tag = readVarint(source, at);
    const [number, wire] = [Math.floor(tag.value / 8), tag.value & 7];
    const head = wire === 2 ? readVarint(source, tag.end) : tag;
    const end = wire === 0 ? readVarint(source, head.end).end : head.end + (wire === 2 ? head.value : wire === 1 ? 8 : 4);
    if (![0, 1, 2, 5].includes(wire) || end > source.length) return undefined;
    const value = source.subarray(head.end, end);
    const nested = wire === 2 ? NESTED[type]?.[number] : undefined;
    fields.push({ number, wire, value, type: nested ?? type, inner: nested === undefined ? undefined : parse(value, nested) });
    at = end;
  }
  return fields;
}

function readVarint(source: Buffer, from: number): { readonly value: number; readonly end: number } {
  let [value, at] = [0, from];
  for (; at < source.length && source.readUInt8(at) > 127; at++) value += (source.readUInt8(at) & 127) * 128 ** (at - from);
  return { value: at < source.length ? value + source.readUInt8(at) * 128 ** (at - from) : Infinity, end: at + 1 };
}

function serialise(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.flatMap(({ number, wire, value, inner }) => {
      const bytes = inner ? serialise(inner) : value;
      return [varint(number * 8 + wire), ...(wire === 2 ? [varint(bytes.length)] : []), bytes];
    }),
  );
}
