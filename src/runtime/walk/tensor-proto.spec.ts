import { fixed, int, message, tensor, text, varint } from '../../../test/onnx/raw-onnx';
import { OnnxRefused } from './onnx-refused';
import { readSparseTensor } from './sparse-tensor-proto';
import { readTensor } from './tensor-proto';

const read = (bytes: Uint8Array) => readTensor(bytes, (name) => `the tensor "${name}"`);
const raw = (bytes: number) => message(9, Buffer.alloc(bytes));
const packed = (field: number, count: number) => message(field, ...Array<Buffer>(count).fill(varint(300)));
const floats = (count: number) => message(4, Buffer.alloc(4 * count));
const doubles = (count: number) => message(10, Buffer.alloc(8 * count));

/** number, name, bytes of five elements, and their typed data */
const DATA_TYPES: readonly (readonly [number, string, number, Buffer])[] = [
  [1, 'FLOAT', 20, floats(5)],
  [2, 'UINT8', 5, packed(5, 5)],
  [3, 'INT8', 5, packed(5, 5)],
  [4, 'UINT16', 10, packed(5, 5)],
  [5, 'INT16', 10, packed(5, 5)],
  [6, 'INT32', 20, packed(5, 5)],
  [7, 'INT64', 40, packed(7, 5)],
  [9, 'BOOL', 5, packed(5, 5)],
  [10, 'FLOAT16', 10, packed(5, 5)],
  [11, 'DOUBLE', 40, doubles(5)],
  [12, 'UINT32', 20, packed(11, 5)],
  [13, 'UINT64', 40, packed(11, 5)],
  [14, 'COMPLEX64', 40, floats(10)],
  [15, 'COMPLEX128', 80, doubles(10)],
  [16, 'BFLOAT16', 10, packed(5, 5)],
  [17, 'FLOAT8E4M3FN', 5, packed(5, 5)],
  [18, 'FLOAT8E4M3FNUZ', 5, packed(5, 5)],
  [19, 'FLOAT8E5M2', 5, packed(5, 5)],
  [20, 'FLOAT8E5M2FNUZ', 5, packed(5, 5)],
  [21, 'UINT4', 3, packed(5, 3)],
  [22, 'INT4', 3, packed(5, 3)],
  [23, 'FLOAT4E2M1', 3, packed(5, 3)],
  [24, 'FLOAT8E8M0', 5, packed(5, 5)],
  [25, 'UINT2', 2, packed(5, 2)],
  [26, 'INT2', 2, packed(5, 2)],
];

describe(readTensor.name, () => {
  it.each(DATA_TYPES)('takes five elements of datatype %d, %s, raw as %d bytes', (dataType, _, bytes) => {
    expect(read(tensor(dataType, [5], raw(bytes)))).toMatchObject({ name: 'w', dataType, dims: [5], elements: 5 });
    expect(() => read(tensor(dataType, [5], raw(bytes + 1)))).toThrow('the tensor "w" says it has 5 elements and has');
    expect(() => read(tensor(dataType, [5], raw(bytes - 1)))).toThrow(OnnxRefused);
  });

  it.each(DATA_TYPES)('takes five elements of datatype %d, %s, as typed data', (dataType, _name, bytes, typed) => {
    expect(read(tensor(dataType, [5], typed)).bytes).toBe(bytes);
    expect(() => read(tensor(dataType, [50], typed))).toThrow('says it has 50 elements and has data for another number');
  });

  it('takes five texts, and counts their lengths', () => {
    expect(read(tensor(8, [5], ...Array<Buffer>(5).fill(text(6, 'abc'))))).toMatchObject({ elements: 5, bytes: 15 });
    expect(() => read(tensor(8, [5], text(6, 'abc')))).toThrow('data for another number (1)');
    expect(() => read(tensor(8, [5], raw(0)))).toThrow('has texts as raw data');
  });

  it('takes typed data and dims that are not packed as well as packed ones', () => {
    expect(read(tensor(1, [2, 3], ...Array<Buffer>(6).fill(fixed(4, 4)))).elements).toBe(6);
    expect(read(tensor(7, [2], int(7, 1), int(7, -1))).elements).toBe(2);
    expect(read(Buffer.concat([message(1, varint(2), varint(3)), int(2, 1), raw(24)])).dims).toEqual([2, 3]);
    expect(read(Buffer.concat([raw(24), int(2, 1), int(1, 6)])).elements).toBe(6); // in any order
  });

  it('takes a scalar as one element, and no element as no data', () => {
    expect(read(tensor(1, [], raw(4))).elements).toBe(1);
    expect(read(tensor(1, [0])).elements).toBe(0);
    expect(read(tensor(1, [3, 0, 5], raw(0))).elements).toBe(0);
  });

  it.each<[string, Buffer, string]>([
    ['a dim below 0', tensor(1, [-1, -4], raw(16)), 'has the dims [-1,-4]: they are negative or too large'],
    ['2^62 x 4 elements, which is 0 in 64 bits', tensor(1, [2n ** 62n, 4], raw(0)), 'too large'],
    ['2^62 x 4 x 0 elements', tensor(1, [2n ** 62n, 4, 0]), 'too large'],
    ['more elements than 2^53', tensor(1, [2n ** 53n + 1n], raw(4)), 'too large'],
    ['17 dims', tensor(1, Array<number>(17).fill(1), raw(4)), 'has more than 16 dims'],
    ['17 packed dims', message(1, ...Array<Buffer>(17).fill(varint(1))), 'has more than 16 dims'],
    ['the datatype 0', tensor(0, [1], raw(4)), 'has the unknown datatype 0'],
    ['the datatype 27', tensor(27, [1], raw(4)), 'has the unknown datatype 27'],
    ['elements without data', tensor(1, [5]), 'says it has 5 elements and has no data'],
    ['data without elements', tensor(1, [0], raw(4)), 'says it has 0 elements and has 4 raw bytes'],
    ['data both raw and typed', tensor(1, [1], raw(4), floats(1)), 'has its data twice'],
    ['data of another datatype', tensor(1, [1], packed(5, 1)), 'has data of another datatype than its own'],
    ['data of its own and of another datatype', tensor(1, [1], floats(1), packed(7, 1)), 'has data of another datatype than its own'],
    ['a location in another file', tensor(1, [1], int(14, 1)), 'lies in another file: save the model with its weights inside'],
    ['that location beyond 32 bits', tensor(1, [1], raw(4), int(14, 2n ** 32n + 1n)), 'lies in another file'],
    ['the name of another file beside data of its own', tensor(1, [1], raw(4), message(13, text(1, 'location'))), 'lies in another file'],
    ['another file that is said to be of no account', tensor(1, [1], raw(4), message(13), int(14, 0)), 'lies in another file'],
    ['raw data twice', tensor(1, [1], raw(4), raw(4)), 'the field 9 is there twice'],
  ])('refuses %s', (_, bytes, reason) => {
    expect(() => read(bytes)).toThrow(reason);
  });
});

describe(readSparseTensor.name, () => {
  const sparse = (values: Buffer, indices: Buffer | undefined, ...dims: (number | bigint)[]) => {
    const parts = [message(1, values), ...(indices ? [message(2, indices)] : []), ...dims.map((size) => int(3, size))];
    return readSparseTensor(Buffer.concat(parts), (name) => `the sparse tensor "${name}"`);
  };
  const two = tensor(1, [2], floats(2));

  it('counts the memory of the dense tensor that the engine makes of it', () => {
    expect(sparse(two, tensor(7, [2], packed(7, 2)), 1000, 1000)).toEqual({ name: 'w', bytes: 4_000_000 });
    expect(sparse(two, tensor(7, [2, 2], packed(7, 4)), 1000, 1000).bytes).toBe(4_000_000);
    expect(sparse(tensor(1, [0]), undefined, 10).bytes).toBe(80);
  });

  it.each<[string, () => unknown, string]>([
    ['values without indices', () => sparse(two, undefined, 5), 'do not fit its dims'],
    ['another number of indices', () => sparse(two, tensor(7, [3], packed(7, 3)), 5), 'do not fit its dims'],
    ['indices of another rank', () => sparse(two, tensor(7, [2, 3], packed(7, 6)), 5, 5), 'do not fit its dims'],
    ['more values than elements', () => sparse(two, tensor(7, [2], packed(7, 2)), 1), 'do not fit its dims'],
    ['values in a matrix', () => sparse(tensor(1, [1, 2], floats(2)), tensor(7, [2], packed(7, 2)), 5), 'do not fit its dims'],
    ['dims that overflow', () => sparse(two, tensor(7, [2], packed(7, 2)), 2n ** 62n, 4), 'too large'],
    ['17 dims', () => sparse(two, tensor(7, [2], packed(7, 2)), ...Array<number>(17).fill(1)), 'more than 16 dims'],
    ['values in another file', () => sparse(tensor(1, [2], int(14, 1)), tensor(7, [2], packed(7, 2)), 5), 'lies in another file'],
  ])('refuses %s', (_, read_, reason) => {
    expect(read_).toThrow(reason);
  });
});
