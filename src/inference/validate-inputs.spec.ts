import { type Datatype, DATATYPES, emptyData, type Signature, type Tensor } from '../runtime/tensor';
import { validateInputs, validateOutputs } from './validate-inputs';

const ANY = -1;
const SIGNATURE: Signature = {
  inputs: [
    { name: 'x', datatype: 'FP32', shape: [ANY, 4] },
    { name: 'city', datatype: 'BYTES', shape: [ANY, 1] },
  ],
  outputs: [
    { name: 'label', datatype: 'INT64', shape: [ANY] },
    { name: 'p', datatype: 'FP32', shape: [ANY, 3] },
  ],
};

function tensor(name: string, shape: readonly number[], datatype: Datatype = 'FP32', length = shape.reduce((a, b) => a * b, 1)): Tensor {
  return { name, datatype, shape, data: emptyData(datatype, length) };
}

function taking(shape: readonly number[], datatype: Datatype = 'FP32'): Signature {
  return { inputs: [{ name: 'x', datatype, shape }], outputs: [] };
}

const CITY = tensor('city', [2, 1], 'BYTES');

describe(validateInputs, () => {
  it('accepts what the model takes, in whatever order', () => {
    expect(() => validateInputs([tensor('x', [2, 4]), CITY], SIGNATURE)).not.toThrow();
    expect(() => validateInputs([CITY, tensor('x', [2, 4])], SIGNATURE)).not.toThrow();
    expect(() => validateInputs([], { inputs: [], outputs: [] })).not.toThrow();
  });

  it.each([
    [
      [ANY, 4],
      [1, 4],
    ],
    [
      [ANY, 4],
      [0, 4],
    ],
    [
      [ANY, ANY],
      [3, 7],
    ],
    [
      [1, 4],
      [1, 4],
    ],
    [[], []],
    [[ANY], [9]],
    [
      [ANY, 2, 3],
      [5, 2, 3],
    ],
  ])('accepts for %j a tensor of shape %j', (wanted, shape) => {
    expect(() => validateInputs([tensor('x', shape)], taking(wanted))).not.toThrow();
  });

  it.each([
    ['none', []],
    ['x', [tensor('x', [1, 4])]],
    ['x, y', [tensor('x', [1, 4]), tensor('y', [1, 1])]],
    ['x, city, more', [tensor('x', [2, 4]), CITY, tensor('more', [1])]],
    ['x, x', [tensor('x', [1, 4]), tensor('x', [1, 4])]],
    ['x, x, city', [tensor('x', [2, 4]), tensor('x', [2, 4]), CITY]],
    ['X, city', [tensor('X', [2, 4]), CITY]],
  ])('refuses the inputs %s where x and city are wanted', (actual, inputs) => {
    const error = { code: 'INPUTS_MISMATCH', kind: 'invalid', details: { field: 'inputs', expected: 'x, city', actual } };
    expect(() => validateInputs(inputs, SIGNATURE)).toThrow(expect.objectContaining(error));
  });

  it.each(DATATYPES.filter((datatype) => datatype !== 'FP32'))('refuses %s where FP32 is wanted', (datatype) => {
    const error = { code: 'DATATYPE_MISMATCH', kind: 'invalid', details: { field: 'x', expected: 'FP32', actual: datatype } };
    expect(() => validateInputs([tensor('x', [2, 4], datatype), CITY], SIGNATURE)).toThrow(expect.objectContaining(error));
  });

  it.each([
    [[ANY, 4], [2, 3], '[-1, 4]', '[2, 3]'],
    [[ANY, 4], [8], '[-1, 4]', '[8]'],
    [[ANY, 4], [2, 4, 1], '[-1, 4]', '[2, 4, 1]'],
    [[1, 4], [2, 4], '[1, 4]', '[2, 4]'],
    [[ANY, 2, 3], [1, 3, 2], '[-1, 2, 3]', '[1, 3, 2]'],
    [[], [1], '[]', '[1]'],
    [[ANY], [], '[-1]', '[]'],
  ])('refuses for %j a tensor of shape %j', (wanted, shape, expected, actual) => {
    const error = { code: 'SHAPE_MISMATCH', kind: 'invalid', details: { field: 'x', expected, actual } };
    expect(() => validateInputs([tensor('x', shape)], taking(wanted))).toThrow(expect.objectContaining(error));
  });

  it.each([0, 7, 9])('refuses a tensor that says 8 elements and has %d', (length) => {
    const details = { field: 'x', expected: '8 elements for [2, 4]', actual: `${length} elements` };
    const error = expect.objectContaining({ code: 'SHAPE_MISMATCH', details });
    expect(() => validateInputs([tensor('x', [2, 4], 'FP32', length)], taking([ANY, 4]))).toThrow(error);
    expect(() => validateInputs([tensor('x', [2, 4], 'BYTES', length)], taking([ANY, 4], 'BYTES'))).toThrow(error);
  });

  it('names the input that is wrong, whichever it is', () => {
    const wrong = [tensor('x', [2, 4]), tensor('city', [2, 2], 'BYTES')];
    expect(() => validateInputs(wrong, SIGNATURE)).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ field: 'city' }) }),
    );
  });
});

describe(validateOutputs, () => {
  it.each([[[]], [['p']], [['p', 'label']], [['label', 'label']]])('accepts %j', (outputs) => {
    expect(() => validateOutputs(outputs, SIGNATURE)).not.toThrow();
  });

  it.each([
    [['q'], 'q'],
    [['label', 'P'], 'P'],
    [['constructor'], 'constructor'],
  ])('refuses %j and names those that there are', (outputs, actual) => {
    const details = { field: 'outputs', expected: 'one of label, p', actual };
    expect(() => validateOutputs(outputs, SIGNATURE)).toThrow(
      expect.objectContaining({ code: 'OUTPUT_UNKNOWN', kind: 'invalid', details }),
    );
  });
});
