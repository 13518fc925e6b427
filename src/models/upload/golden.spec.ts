import type { Signature, Tensor } from '../../runtime/tensor';
import { goldenTrials, refuseDeviation } from './golden';

const SIGNATURE: Signature = {
  inputs: [
    { name: 'x', datatype: 'FP32', shape: [-1, 2] },
    { name: 'n', datatype: 'INT64', shape: [] },
  ],
  outputs: [
    { name: 'y', datatype: 'FP32', shape: [-1, 2] },
    { name: 'label', datatype: 'INT64', shape: [1] }, // as LightGBM declares it
    { name: 'half', datatype: 'FP16', shape: [-1] },
  ],
};
const INPUTS = { x: [[1, 2], [3, 4]], n: 5 }; // prettier-ignore
const GIVEN: readonly Tensor[] = [
  { name: 'y', datatype: 'FP32', shape: [2, 2], data: Float32Array.of(0.1, 0.2, 1000, -1) },
  { name: 'label', datatype: 'INT64', shape: [2], data: BigInt64Array.of(0n, 2n ** 53n + 1n) },
  { name: 'half', datatype: 'FP16', shape: [2], data: Uint16Array.of(0x3800, 0x7e00) },
];

describe('golden rows', () => {
  const off = (outputs: object, tolerance?: number): unknown => {
    try {
      refuseDeviation([{ inputs: INPUTS, outputs: { ...outputs }, ...(tolerance !== undefined && { tolerance }) }], [GIVEN]);
      return 'none';
    } catch (error) {
      return (error as { readonly details: unknown }).details;
    }
  };

  it('are tensors, arrays in arrays, in the order of the signature', () => {
    expect(goldenTrials([{ inputs: INPUTS, outputs: {} }], SIGNATURE)).toEqual([
      [
        { name: 'x', datatype: 'FP32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
        { name: 'n', datatype: 'INT64', shape: [], data: BigInt64Array.of(5n) },
      ],
    ]);
  });

  it.each([
    [{ inputs: { x: INPUTS.x }, outputs: {} }, 'metadata.golden[0].inputs.n', 'METADATA_MISMATCH'],
    [{ inputs: { ...INPUTS, z: 1 }, outputs: {} }, 'metadata.golden[0].inputs.z', 'METADATA_MISMATCH'],
    [{ inputs: INPUTS, outputs: { w: 1 } }, 'metadata.golden[0].outputs.w', 'METADATA_MISMATCH'],
    [{ inputs: { ...INPUTS, x: [1, 2] }, outputs: {} }, 'metadata.golden[0].inputs.x[0]', 'INVALID_VALUE'],
    [{ inputs: { ...INPUTS, x: [[1, 2], [3]] }, outputs: {} }, 'metadata.golden[0].inputs.x[1]', 'INVALID_VALUE'],
    [{ inputs: { ...INPUTS, x: [[1, 'two']] }, outputs: {} }, 'metadata.golden[0].inputs.x[0][1]', 'INVALID_VALUE'],
    [{ inputs: { ...INPUTS, x: [[1, 1e300]] }, outputs: {} }, 'metadata.golden[0].inputs.x[0][1]', 'NUMBER_NOT_REPRESENTABLE'],
  ])('%j: the fault is named by its place', (row, field, code) => {
    expect(() => goldenTrials([row], SIGNATURE)).toThrow(expect.objectContaining({ code, details: expect.objectContaining({ field }) }));
  });

  it('hold where the model gives what they say, within their tolerance, whatever the signature declares of shapes', () => {
    expect(off({ y: [[0.1, 0.2], [1000.05, -1]], label: [0, '9007199254740993'] })).toBe('none'); // prettier-ignore
    expect(off({ y: [[0.1, 0.2], [1001, -1]] }, 0.01)).toBe('none'); // prettier-ignore
    expect(off({})).toBe('none');
  });

  it.each([
    [{ y: [[0.1, 0.2], [1000.2, -1]] }, undefined, { field: 'metadata.golden[0].outputs.y[1][0]', expected: '1000.2000122070312', actual: '1000' }], // prettier-ignore
    [{ y: [[0.1, 0.21], [1000, -1]] }, undefined, { field: 'metadata.golden[0].outputs.y[0][1]' }], // prettier-ignore
    [{ y: [[0.1, 0.2], [1000, -1.001]] }, 0, { field: 'metadata.golden[0].outputs.y[1][1]' }], // prettier-ignore
    [{ label: [1, '9007199254740993'] }, 1, { field: 'metadata.golden[0].outputs.label[0]', expected: '1', actual: '0' }],
    [{ y: [[0.1, 0.2]] }, undefined, { field: 'metadata.golden[0].outputs.y', expected: 'an array of 2' }],
    [{ half: [0.5, 0] }, 1, { field: 'metadata.golden[0].outputs.half[1]', expected: '0', actual: 'NaN' }],
  ])('%j, tolerance %p: what is off is named by its place', (outputs, tolerance, details) => {
    expect(off(outputs, tolerance)).toMatchObject(details);
  });

  it('do not hold where the model fails on them', () => {
    const row = { inputs: INPUTS, outputs: {} };
    expect(() => refuseDeviation([row], [{ reason: 'index out of bounds' }])).toThrow(
      expect.objectContaining({
        code: 'GOLDEN_MISMATCH',
        details: { field: 'metadata.golden[0]', expected: 'outputs', actual: 'index out of bounds' },
      }),
    );
  });
});
