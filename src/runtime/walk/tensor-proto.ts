import { OnnxRefused } from './onnx-refused';
import { Fields } from './protobuf';
import { nameOf } from './value-info';

/** Bits of an element, its values per `typed` entry, and the field of TensorProto (its `*_data`) that holds it where it is not raw. */
interface DataType {
  readonly bits: number;
  readonly field: number;
  /** entries of the field for so many elements */
  readonly entries: (elements: number) => number;
}

const FLOAT_DATA = 4;
const INT32_DATA = 5;
const STRING_DATA = 6;
const INT64_DATA = 7;
const DOUBLE_DATA = 10;
const UINT64_DATA = 11;

const each = (elements: number): number => elements;
const pair = (elements: number): number => elements * 2; // real and imaginary part
const packed = (perByte: number) => (elements: number) => Math.ceil(elements / perByte);

const of = (bits: number, field: number, entries = each): DataType => ({ bits, field, entries });

/** TensorProto.DataType of onnx.proto (onnx 1.20), by number. */
const DATA_TYPES: Readonly<Record<number, DataType>> = {
  1: of(32, FLOAT_DATA), // FLOAT
  2: of(8, INT32_DATA), // UINT8
  3: of(8, INT32_DATA), // INT8
  4: of(16, INT32_DATA), // UINT16
  5: of(16, INT32_DATA), // INT16
  6: of(32, INT32_DATA), // INT32
  7: of(64, INT64_DATA), // INT64
  8: of(0, STRING_DATA), // STRING
  9: of(8, INT32_DATA), // BOOL
  10: of(16, INT32_DATA), // FLOAT16
  11: of(64, DOUBLE_DATA), // DOUBLE
  12: of(32, UINT64_DATA), // UINT32
  13: of(64, UINT64_DATA), // UINT64
  14: of(64, FLOAT_DATA, pair), // COMPLEX64
  15: of(128, DOUBLE_DATA, pair), // COMPLEX128
  16: of(16, INT32_DATA), // BFLOAT16
  17: of(8, INT32_DATA), // FLOAT8E4M3FN
  18: of(8, INT32_DATA), // FLOAT8E4M3FNUZ
  19: of(8, INT32_DATA), // FLOAT8E5M2
  20: of(8, INT32_DATA), // FLOAT8E5M2FNUZ
  21: of(4, INT32_DATA, packed(2)), // UINT4
  22: of(4, INT32_DATA, packed(2)), // INT4
  23: of(4, INT32_DATA, packed(2)), // FLOAT4E2M1
  24: of(8, INT32_DATA), // FLOAT8E8M0
  25: of(2, INT32_DATA, packed(4)), // UINT2
  26: of(2, INT32_DATA, packed(4)), // INT2
};

const MAX_DIMS = 16;

/** What TensorProto (onnx.proto) says of itself and what it holds. */
export interface TensorProto {
  readonly name: string;
  readonly dataType: number;
  readonly dims: readonly number[];
  readonly elements: number;
  /** that the elements take in memory; of texts: their lengths */
  readonly bytes: number;
}

/**
 * Reads a TensorProto and holds its dims and datatype against the data that is there, by lengths alone: no byte of raw_data is looked at.
 * @param place names the tensor in a message: 'the initializer "w"'
 * @throws OnnxRefused, NotProtobuf
 */
export function readTensor(source: Uint8Array, place: (name: string) => string): TensorProto {
  const fields = new Fields(source);
  const dims: bigint[] = [];
  const counts = new Map<number, number>();
  let [name, dataType, texts] = ['', 0, 0];
  let raw: number | undefined;
  let external = false;
  const count = (by: number): void => void counts.set(fields.number, (counts.get(fields.number) ?? 0) + by);
  while (fields.next()) {
    if (fields.number === 1) addDims(dims, fields, () => place(name));
    else if (fields.number === 2) dataType = fields.int32;
    else if (fields.number === 8) name = nameOf(fields);
    else if (fields.number === 9) raw = fields.only.length;
    else if (fields.number === 13 || (fields.number === 14 && fields.int32 !== 0)) external = true;
    else if (fields.number === FLOAT_DATA) count(fields.fixed(4));
    else if (fields.number === DOUBLE_DATA) count(fields.fixed(8));
    else if (fields.number === STRING_DATA) [texts] = [texts + fields.bytes.length, count(1)];
    else if ([INT32_DATA, INT64_DATA, UINT64_DATA].includes(fields.number)) count(fields.varints);
  }
  const refuse = (reason: string): never => {
    throw new OnnxRefused(`${place(name)} ${reason}`);
  };
  if (external) return refuse('lies in another file: save the model with its weights inside');
  const type = DATA_TYPES[dataType] ?? refuse(`has the unknown datatype ${dataType}`);
  const elements = elementsOf(dims) ?? refuse(`has the dims [${dims.join()}]: they are negative or too large`);
  const reason = contradiction(type, elements, raw, counts);
  if (reason !== undefined) return refuse(`${reason}: save the model again, its file is damaged`);
  return { name, dataType, dims: dims.map(Number), elements, bytes: texts + Math.ceil((elements * type.bits) / 8) };
}

function addDims(dims: bigint[], fields: Fields, place: () => string): void {
  if (dims.length + fields.varints > MAX_DIMS) throw new OnnxRefused(`${place()} has more than ${MAX_DIMS} dims`);
  dims.push(...fields.int64s);
}

/** @returns how many elements the dims span; undefined where a dim is negative, or where not even those other than 0 stay within 2^53 */
export function elementsOf(dims: readonly bigint[]): number | undefined {
  const span = dims.reduce((product, dim) => (dim === 0n ? product : product * dim), 1n);
  if (dims.some((dim) => dim < 0n) || span > 2n ** 53n) return undefined;
  return dims.includes(0n) ? 0 : Number(span);
}

function contradiction(
  { bits, field, entries }: DataType,
  elements: number,
  raw: number | undefined,
  counts: ReadonlyMap<number, number>,
): string | undefined {
  const typed = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const inPlace = counts.get(field) ?? 0;
  if (raw !== undefined && typed > 0) return 'has its data twice, raw and typed';
  if (typed > inPlace) return 'has data of another datatype than its own';
  if (raw !== undefined && field === STRING_DATA) return 'has texts as raw data';
  if (raw !== undefined && raw !== Math.ceil((elements * bits) / 8)) return `says it has ${elements} elements and has ${raw} raw bytes`;
  if (elements > 0 && typed === 0 && raw === undefined) return `says it has ${elements} elements and has no data`;
  if (raw === undefined && typed !== entries(elements))
    return `says it has ${elements} elements and has data for another number (${typed})`;
  return undefined;
}
