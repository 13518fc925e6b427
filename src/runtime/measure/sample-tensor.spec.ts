import { randomTensor, zeroTensor } from './sample-tensor';
import { fromHalf } from '../half';
import { type Datatype, DATATYPES, emptyData, type TensorSpec } from '../tensor';

const specOf = (datatype: Datatype, ...shape: number[]): TensorSpec => ({ name: 'x', datatype, shape });

describe.each([{ make: zeroTensor }, { make: randomTensor }])('$make.name', ({ make }) => {
  it.each<[readonly number[], number | undefined, readonly number[]]>([
    [[-1, 3], undefined, [1, 3]],
    [[-1, 3], 5, [5, 3]],
    [[-1, 3], 0, [0, 3]],
    [[2, 3], 5, [2, 3]],
    [[-1, -1, 2, -1], 5, [5, 1, 2, 1]],
    [[4, -1], 5, [4, 1]],
    [[-1], 5, [5]],
    [[], 5, []],
    [[-1, 0], 5, [5, 0]],
  ])('makes of the shape %j at %p rows the shape %j, with as many elements', (shape, rows, expected) => {
    const tensor = make(specOf('FP32', ...shape), rows);
    expect(tensor).toMatchObject({ name: 'x', datatype: 'FP32', shape: expected });
    expect(tensor.data).toHaveLength(expected.reduce((product, dimension) => product * dimension, 1));
  });

  it.each(DATATYPES)('holds %s as such a tensor does', (datatype) => {
    expect(make(specOf(datatype, -1, 2)).data.constructor).toBe(emptyData(datatype, 2).constructor);
  });
});

describe(zeroTensor, () => {
  it.each(DATATYPES)('is nothing but zero or empty, of %s', (datatype) => {
    expect(zeroTensor(specOf(datatype, -1, 2), 3).data).toEqual(emptyData(datatype, 6));
  });
});

describe(randomTensor, () => {
  const MANY = 2000;
  const elements = (datatype: Datatype): readonly unknown[] => Array.from<unknown>(randomTensor(specOf(datatype, -1), MANY).data);

  it.each(['FP16', 'FP32', 'FP64'] as const)('has numbers of all sizes from -0.5 to 0.5, of %s', (datatype) => {
    const numbers = elements(datatype).map((element) => (datatype === 'FP16' ? fromHalf(element as number) : (element as number)));
    const [least = 0, ...others] = numbers.sort((a, b) => a - b);
    const greatest = others.at(-1) ?? 0;
    expect(least).toBeGreaterThanOrEqual(-0.5);
    expect(least).toBeLessThan(-0.45);
    expect(greatest).toBeGreaterThan(0.45);
    expect(greatest).toBeLessThanOrEqual(0.5);
    expect(new Set(numbers).size).toBeGreaterThan(MANY / 2);
  });

  it.each(['BOOL', 'INT8', 'UINT8', 'INT16', 'UINT16', 'INT32', 'UINT32'] as const)('has zeros and ones, of %s', (datatype) => {
    expect(new Set(elements(datatype))).toEqual(new Set([0, 1]));
  });

  it.each(['INT64', 'UINT64'] as const)('has zeros and ones, of %s', (datatype) => {
    expect(new Set(elements(datatype))).toEqual(new Set([0n, 1n]));
  });

  it('has texts of one letter', () => {
    expect(new Set(elements('BYTES'))).toEqual(new Set(['a', 'b']));
  });

  it('is another one every time', () => {
    expect(elements('FP32')).not.toEqual(elements('FP32'));
  });
});
