/** TensorProto.DataType of onnx.proto, by the name that onnxruntime uses. A model may carry any other number. */
export const DTYPE = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  complex64: 14,
  complex128: 15,
  bfloat16: 16,
} as const;

/** TensorShapeProto.Dimension of onnx.proto: dim_value 1, dim_param 2, or neither (null: free and without a name). */
export type Dim = number | string | null;

/** ValueInfoProto of onnx.proto: name 1, type 2. No `dims`: any rank. With `mapKey`: a sequence of maps from that dtype to `dtype`. */
export interface ValueInfo {
  readonly name: string;
  readonly dtype: number;
  readonly dims?: readonly Dim[];
  readonly mapKey?: number;
}

/** TensorProto of onnx.proto: dims 1, data_type 2, string_data 6, name 8, raw_data 9, external_data 13, data_location 14. */
export interface Tensor {
  readonly name?: string;
  readonly dtype: number;
  readonly dims: readonly number[];
  /** exactly one of: little-endian bytes, strings, or the file (external_data's `location`) where the bytes are said to be */
  readonly data: { readonly raw: Uint8Array } | { readonly strings: readonly string[] } | { readonly external: string };
}

/** AttributeProto of onnx.proto: f 2, i 3, s 4, t 5, g 6, floats 7, ints 8, strings 9; the key says which, and so the type 20. */
export type Attribute =
  | { readonly float: number }
  | { readonly int: number | bigint }
  | { readonly string: string }
  | { readonly tensor: Tensor }
  | { readonly graph: Graph }
  | { readonly floats: readonly number[] }
  | { readonly ints: readonly (number | bigint)[] }
  | { readonly strings: readonly string[] };

/** NodeProto of onnx.proto: input 1, output 2, op_type 4, attribute 5, domain 7. An input left out is ''. */
export interface Node {
  readonly op: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** GraphProto of onnx.proto: node 1, name 2, initializer 5, input 11, output 12. */
export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly initializers?: readonly Tensor[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

/** ModelProto of onnx.proto: ir_version 1, producer_name 2, graph 7, opset_import 8 (OperatorSetIdProto: domain 1, version 2). */
export interface Model {
  readonly graph: Graph;
  /** version of the default domain; 17 if not given */
  readonly opset?: number;
  /** versions of further domains, such as `{ 'ai.onnx.ml': 3 }` */
  readonly domains?: Readonly<Record<string, number>>;
}

function varint(value: number | bigint): Buffer {
  const low: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value)); // a negative int64 takes ten bytes
  for (; rest > 127n; rest >>= 7n) low.push(Number(rest & 127n) | 128);
  return Buffer.from([...low, Number(rest)]);
}

// Wire types: 0 = varint, 2 = length and bytes, 5 = four bytes
const int = (field: number, value: number | bigint) => Buffer.concat([varint(field << 3), varint(value)]);
const bytes = (field: number, value: Uint8Array) => Buffer.concat([varint((field << 3) | 2), varint(value.length), value]);
const text = (field: number, value: string) => bytes(field, Buffer.from(value));
const message = (field: number, parts: readonly Uint8Array[]) => bytes(field, Buffer.concat(parts));
const float = (field: number, value: number) => Buffer.concat([varint((field << 3) | 5), rawFloats([value])]);

function valueInfo({ name, dtype, dims, mapKey }: ValueInfo): Buffer[] {
  const dim = (size: Dim) => message(1, size === null ? [] : [typeof size === 'number' ? int(1, size) : text(2, size)]);
  const tensorType = message(1, [int(1, dtype), ...(dims ? [message(2, dims.map(dim))] : [])]);
  // TypeProto: tensor_type 1, sequence_type 4, map_type 5
  const type = mapKey === undefined ? tensorType : message(4, [message(1, [message(5, [int(1, mapKey), message(2, [tensorType])])])]);
  return [text(1, name), message(2, [type])];
}

function tensor({ name = '', dtype, dims, data }: Tensor): Buffer[] {
  const head = [...dims.map((size) => int(1, size)), int(2, dtype), text(8, name)];
  if ('raw' in data) return [...head, bytes(9, data.raw)];
  if ('strings' in data) return [...head, ...data.strings.map((value) => text(6, value))];
  return [...head, message(13, [text(1, 'location'), text(2, data.external)]), int(14, 1)];
}

/** AttributeProto.AttributeType (FLOAT 1 ... STRINGS 8) and the field that holds the value. */
function attributeValue(value: Attribute): Buffer[] {
  if ('float' in value) return [int(20, 1), float(2, value.float)];
  if ('int' in value) return [int(20, 2), int(3, value.int)];
  if ('string' in value) return [int(20, 3), text(4, value.string)];
  if ('tensor' in value) return [int(20, 4), message(5, tensor(value.tensor))];
  if ('graph' in value) return [int(20, 5), message(6, graph(value.graph))];
  if ('floats' in value) return [int(20, 6), ...value.floats.map((one) => float(7, one))];
  if ('ints' in value) return [int(20, 7), ...value.ints.map((one) => int(8, one))];
  return [int(20, 8), ...value.strings.map((one) => text(9, one))];
}

function node({ op, domain, inputs, outputs, attributes = {} }: Node): Buffer[] {
  return [
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => message(5, [text(1, name), ...attributeValue(value)])),
    ...(domain ? [text(7, domain)] : []),
  ];
}

function graph({ name, nodes, initializers = [], inputs, outputs }: Graph): Buffer[] {
  return [
    ...nodes.map((one) => message(1, node(one))),
    text(2, name),
    ...initializers.map((one) => message(5, tensor(one))),
    ...inputs.map((one) => message(11, valueInfo(one))),
    ...outputs.map((one) => message(12, valueInfo(one))),
  ];
}

/** The bytes of an ONNX file (ModelProto of onnx.proto, IR version 8). Nothing is checked: a wrong model is written as it is. */
export function onnxModel({ graph: content, opset = 17, domains = {} }: Model): Buffer {
  const opsets = Object.entries({ '': opset, ...domains }).map(([domain, version]) => message(8, [text(1, domain), int(2, version)]));
  return Buffer.concat([int(1, 8), text(2, 'onnx-writer'), message(7, graph(content)), ...opsets]);
}

/** FP32 bytes for TensorProto.raw_data (9) of onnx.proto, which is little-endian, as is every machine the engine runs on. */
export function rawFloats(values: ArrayLike<number>): Buffer {
  return Buffer.from(new Float32Array(values).buffer);
}

/** A FLOAT (1) TensorProto of onnx.proto. `dims` [] is a scalar. */
export function floats(name: string, dims: readonly number[], values: ArrayLike<number>): Tensor {
  return { name, dtype: DTYPE.float32, dims, data: { raw: rawFloats(values) } };
}

/** An INT64 (7) TensorProto of onnx.proto. `dims` [] is a scalar. */
export function int64s(name: string, dims: readonly number[], values: readonly (number | bigint)[]): Tensor {
  const raw = Buffer.from(BigInt64Array.from(values, BigInt).buffer);
  return { name, dtype: DTYPE.int64, dims, data: { raw } };
}
