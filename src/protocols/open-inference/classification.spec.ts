import type { Tensor } from '../../runtime/tensor';
import { classified } from './classification';

const UNNAMED = { manifest: { files: [], metadata: {} } } as const;

describe(classified, () => {
  const output = (datatype: Tensor['datatype'], shape: readonly number[], data: Tensor['data']): Tensor => ({
    name: 'y',
    datatype,
    shape,
    data,
  });

  it('tells infinity and NaN as C++ does', () => {
    const data = Float64Array.of(Number.NaN, Number.NEGATIVE_INFINITY, 1e21, Number.POSITIVE_INFINITY, -0.00000049);
    const { data: texts } = classified(output('FP64', [5], data), 5, UNNAMED);
    expect(texts).toEqual(['inf:3', '1000000000000000000000.000000:2', '-0.000000:4', '-inf:1', 'nan:0']);
  });

  it('orders whole numbers beyond 2^53 exactly', () => {
    const data = BigUint64Array.of(2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 1n);
    const { data: texts } = classified(output('UINT64', [3], data), 3, UNNAMED);
    expect(texts).toEqual(['18446744073709551615:2', '9007199254740993:1', '9007199254740992:0']);
  });

  it('takes the rest of a row as one list, whatever its dimensions', () => {
    const { shape, data } = classified(output('INT8', [2, 2, 2], Int8Array.of(1, 2, 3, 4, 8, 7, 6, 5)), 1, UNNAMED);
    expect([shape, data]).toEqual([
      [2, 1],
      ['4:3', '8:0'],
    ]);
  });

  it('names what has a name: by the metadata before the model itself', () => {
    const scores = output('FP32', [3], Float32Array.of(1, 3, 2));
    const own = { ...UNNAMED, labels: [10, 20, 30] };
    expect(classified(scores, 2, own).data).toEqual(['3.000000:1:20', '2.000000:2:30']);
    const named = { ...own, manifest: { files: [], metadata: { labels: ['a', 'b'] } } };
    expect(classified(scores, 2, named).data).toEqual(['3.000000:1:b', '2.000000:2']);
  });

  it('is refused of more than a million elements', () => {
    const large = output('UINT8', [1_000_001], new Uint8Array(1_000_001));
    expect(() => classified(large, 1, UNNAMED)).toThrow(expect.objectContaining({ code: 'NOT_CLASSIFIABLE' }));
  });
});
