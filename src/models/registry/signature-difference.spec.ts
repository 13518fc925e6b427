import type { TensorSpec } from '../../runtime/tensor';
import { breakingDifferences } from './signature-difference';

const spec = (name: string, shape: readonly number[], datatype: TensorSpec['datatype'] = 'FP32'): TensorSpec => ({ name, datatype, shape });
const version = (inputs: readonly TensorSpec[], outputs: readonly TensorSpec[], featureNames?: readonly string[]) => ({
  signature: { inputs, outputs },
  manifest: { files: [], metadata: { ...(featureNames && { featureNames }) } },
});
const X = spec('x', [-1, 4]);
const Y = spec('y', [-1]);
const Z = spec('z', [-1, 3]);
const PRESENT = version([X], [Y, Z], ['a', 'b', 'c', 'd']);

describe(breakingDifferences, () => {
  it.each([
    ['an equal one', version([X], [Y, Z], ['a', 'b', 'c', 'd'])],
    ['one that takes more', version([spec('x', [-1, -1])], [Y, Z], ['a', 'b', 'c', 'd'])],
    ['one that gives more', version([X], [Y, Z, spec('w', [-1])], ['a', 'b', 'c', 'd'])],
    ['one that gives the same in another order but for the first', version([X], [Y, spec('w', [-1]), Z], ['a', 'b', 'c', 'd'])],
    ['one that says less of its outputs', version([X], [Y, spec('z', [-1, -1])], ['a', 'b', 'c', 'd'])],
  ])('holds nothing against %s', (_what, next) => {
    expect(breakingDifferences(PRESENT, next)).toEqual([]);
  });

  it('holds nothing against new names for columns that had none', () => {
    expect(breakingDifferences(version([X], [Y]), version([X], [Y], ['a', 'b', 'c', 'd']))).toEqual([]);
  });

  it.each([
    ['a further input', version([X, spec('mask', [-1])], [Y, Z], ['a', 'b', 'c', 'd']), 'input "mask"', 'absent', 'wanted'],
    ['a lost output', version([X], [Y], ['a', 'b', 'c', 'd']), 'output "z"', 'FP32 [-1, 3]', 'absent'],
    ['another datatype', version([spec('x', [-1, 4], 'FP64')], [Y, Z], ['a', 'b', 'c', 'd']), 'input "x"', 'FP32 [-1, 4]', 'FP64 [-1, 4]'],
    ['a fixed length', version([spec('x', [1, 4])], [Y, Z], ['a', 'b', 'c', 'd']), 'input "x"', 'FP32 [-1, 4]', 'FP32 [1, 4]'],
    ['another rank', version([spec('x', [-1, 4, 1])], [Y, Z], ['a', 'b', 'c', 'd']), 'input "x"', 'FP32 [-1, 4]', 'FP32 [-1, 4, 1]'],
    ['other classes', version([X], [Y, spec('z', [-1, 2])], ['a', 'b', 'c', 'd']), 'output "z"', 'FP32 [-1, 3]', 'FP32 [-1, 2]'],
    ['another first output', version([X], [Z, Y], ['a', 'b', 'c', 'd']), 'first output', '"y"', '"z"'],
    ['other columns', version([X], [Y, Z], ['a', 'c', 'b', 'd']), 'featureNames[1]', 'b', 'c'],
    ['a further column', version([X], [Y, Z], ['a', 'b', 'c', 'd', 'e']), 'featureNames', 'a, b, c, d', 'a, b, c, d, e'],
    ['no columns', version([X], [Y, Z]), 'featureNames', 'a, b, c, d', 'absent'],
  ])('tells of %s', (_what, next, field, expected, actual) => {
    expect(breakingDifferences(PRESENT, next)).toEqual([{ field, expected, actual }]);
  });

  it('tells of a renamed input twice: what is missing, and what is wanted instead', () => {
    const next = version([spec('features', [-1, 4])], [Y, Z], ['a', 'b', 'c', 'd']);
    expect(breakingDifferences(PRESENT, next).map(({ field }) => field)).toEqual(['input "features"', 'input "x"']);
  });
});
