import { OnnxRefused } from './onnx-refused';
import { Fields, NotProtobuf, WIRE } from './protobuf';

/** How deep graphs, types and calls of local functions may lie in one another. */
export const MAX_DEPTH = 32;

const MAX_NAME_BYTES = 4096;
const MAX_DIMS = 16;

/** A size, the name of a free dimension, or null: free and without a name. */
export type Dim = number | string | null;

/** What a graph takes or gives under a name. */
export interface ValueInfo {
  readonly name: string;
  /** TensorProto.DataType of onnx.proto; 0 where none is declared */
  readonly elemType: number;
  /** undefined where no shape is declared */
  readonly dims: readonly Dim[] | undefined;
}

/** The same with what it is: 'tensor', 'sequence', 'map', … */
export type DeclaredValue = ValueInfo & { readonly kind: string };

/** TypeProto (onnx.proto) by the field that holds it; what is in it has its own type in field 1, of a map in 2. */
const KINDS: Readonly<Record<number, string>> = {
  1: 'tensor',
  4: 'sequence',
  5: 'map',
  7: 'opaque value',
  8: 'sparse tensor',
  9: 'optional value',
};

type ReadType = Pick<ValueInfo, 'elemType' | 'dims'> & { readonly kind: string };

/** Reads a name: of a value, node, tensor, operator, attribute, domain or dimension. @throws OnnxRefused beyond 4 KiB, NotProtobuf */
export function nameOf(fields: Fields): string {
  if (fields.length > MAX_NAME_BYTES) throw new OnnxRefused(`a name has ${fields.length} bytes; ${MAX_NAME_BYTES} are allowed: shorten it`);
  return fields.text;
}

/** Reads ValueInfoProto (onnx.proto). @throws OnnxRefused, NotProtobuf */
export function readValueInfo(source: Uint8Array): DeclaredValue {
  const fields = new Fields(source);
  let name = '';
  let type: ReadType = { kind: 'tensor', elemType: 0, dims: undefined };
  while (fields.next()) {
    if (fields.number === 1) name = nameOf(fields);
    else if (fields.number === 2) type = readType(fields.only);
  }
  return { name, ...type };
}

/** Reads TypeProto (onnx.proto), and what lies in it as far as to know how deep. @throws OnnxRefused, NotProtobuf */
export function readType(source: Uint8Array, depth = 1): ReadType {
  if (depth > MAX_DEPTH) throw new OnnxRefused(`a type lies more than ${MAX_DEPTH} deep in others: flatten it`);
  const fields = new Fields(source);
  let type: ReadType | undefined;
  while (fields.next()) {
    const kind = KINDS[fields.number];
    if (kind === undefined) continue;
    if (type !== undefined) throw new NotProtobuf('a type is two things at once');
    if (kind === 'tensor') type = { kind, ...readTensorType(fields.bytes) };
    else type = { kind, elemType: 0, dims: undefined };
    if (['sequence', 'map', 'optional value'].includes(kind)) readInner(fields.bytes, kind === 'map' ? 2 : 1, depth + 1);
  }
  return type ?? { kind: 'tensor', elemType: 0, dims: undefined };
}

function readInner(source: Uint8Array, field: number, depth: number): void {
  const fields = new Fields(source);
  while (fields.next()) if (fields.number === field && fields.wire === WIRE.bytes) readType(fields.only, depth);
}

function readTensorType(source: Uint8Array): Pick<ValueInfo, 'elemType' | 'dims'> {
  const fields = new Fields(source);
  let elemType = 0;
  let dims: readonly Dim[] | undefined;
  while (fields.next()) {
    if (fields.number === 1) elemType = fields.int32;
    else if (fields.number === 2) dims = readShape(fields.only);
  }
  return { elemType, dims };
}

/** TensorShapeProto: a dimension has a dim_value 1 (below 0: free), a dim_param 2, or neither. */
function readShape(source: Uint8Array): readonly Dim[] {
  const fields = new Fields(source);
  const dims: Dim[] = [];
  while (fields.next()) if (fields.number === 1) addDim(dims, fields.bytes);
  return dims;
}

function addDim(dims: Dim[], source: Uint8Array): void {
  if (dims.length === MAX_DIMS) throw new OnnxRefused(`a shape has more than ${MAX_DIMS} dims: reshape it`);
  dims.push(readDim(source));
}

function readDim(source: Uint8Array): Dim {
  const fields = new Fields(source);
  let dim: Dim = null;
  while (fields.next()) {
    if (fields.number === 1) dim = fields.int64 < 0n ? null : Number(fields.int64);
    else if (fields.number === 2) dim = nameOf(fields);
  }
  return dim;
}
