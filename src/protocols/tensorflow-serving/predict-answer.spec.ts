import type { ModelMetadata } from '../../models/upload/model-metadata';
import { type Datatype, emptyData, type Tensor } from '../../runtime/tensor';
import { encodePredict } from './predict-answer';

type Element = number | bigint | string;

function output(name: string, datatype: Datatype, shape: readonly number[], ...elements: readonly Element[]): Tensor {
  const data = emptyData(datatype, elements.length);
  elements.forEach((element, at) => ((data as { [at: number]: Element })[at] = element));
  return { name, datatype, shape, data };
}

function answer(rows: number | undefined, outputs: readonly Tensor[], metadata: ModelMetadata = {}): string {
  return String(encodePredict(rows, { outputs }, { manifest: { files: [], metadata } }).body);
}

describe(encodePredict, () => {
  it.each<[number | undefined, readonly Tensor[], string]>([
    [2, [output('y', 'FP32', [2, 1], 1, 2.5)], '{"predictions":[[1.0],[2.5]]}'],
    [2, [output('y', 'INT64', [2], 2n ** 63n - 1n, -1n)], '{"predictions":[9223372036854775807,-1]}'],
    [2, [output('y', 'BOOL', [2, 0])], '{"predictions":[[],[]]}'],
    [2, [output('y', 'FP32', [2], 1, 2), output('z', 'BYTES', [2, 1], 'a', '"')], String.raw`{"predictions":[{"y":1.0,"z":["a"]},{"y":2.0,"z":["\""]}]}`],
    [1, [output('a"b', 'UINT64', [1], 2n ** 64n - 1n), output('__proto__', 'BOOL', [1], 1)], String.raw`{"predictions":[{"a\"b":18446744073709551615,"__proto__":true}]}`],
    [1, [output('y_bytes', 'BYTES', [1, 2], 'hi', '')], '{"predictions":[[{"b64":"aGk="},{"b64":""}]]}'],
    [undefined, [output('y_bytes', 'BYTES', [], '🐎'), output('y', 'BYTES', [], 'b64')], '{"outputs":{"y_bytes":{"b64":"8J+Qjg=="},"y":"b64"}}'],
    [undefined, [output('y_bytes', 'INT8', [1], 7)], '{"outputs":[7]}'],
    [undefined, [output('y', 'FP64', [], 7)], '{"outputs":7.0}'],
    [undefined, [output('y', 'FP32', [5], 0.1, -0, 1e21, 1.401298464324817e-45, 16_777_216)], '{"outputs":[0.1,-0.0,1e+21,1e-45,16777216.0]}'],
    [undefined, [output('y', 'FP64', [3], 0.1 + 0.2, 1e300, -5)], '{"outputs":[0.30000000000000004,1e+300,-5.0]}'],
    [undefined, [output('y', 'FP32', [2, 2], 1, 2, 3, 4), output('z', 'UINT8', [3], 1, 2, 3)], '{"outputs":{"y":[[1.0,2.0],[3.0,4.0]],"z":[1,2,3]}}'],
  ])('answers %p rows of %j', (rows, outputs, text) => {
    expect(answer(rows, outputs)).toBe(text);
  }); // prettier-ignore

  it.each<[readonly number[], string]>([
    [[1], 'Tensor name: y has inconsistent batch size: 1 expecting batch size: 2'],
    [[3, 1], 'Tensor name: y has inconsistent batch size: 3 expecting batch size: 2'],
    [[], 'Tensor name: y has inconsistent batch size: none expecting batch size: 2'],
  ])('refuses to tell an output of shape %j row by row', (shape, message) => {
    const size = shape.reduce((product, length) => product * length, 1);
    const outputs = [output('first', 'FP32', [2], 1, 2), output('y', 'FP32', shape, ...Array<number>(size).fill(0))];
    expect(() => answer(2, outputs)).toThrow(message);
    expect(() => answer(undefined, outputs)).not.toThrow();
  });

  it('tells NaN and infinity as null, and counts them', () => {
    const outputs = [output('y', 'FP32', [3], Number.NaN, 1, Number.POSITIVE_INFINITY), output('z', 'FP64', [3], Number.NEGATIVE_INFINITY, 2, 3)]; // prettier-ignore
    const { body, nonFinite, contentType } = encodePredict(3, { outputs }, { manifest: { files: [], metadata: {} } });
    expect(String(body)).toBe('{"predictions":[{"y":null,"z":null},{"y":1.0,"z":2.0},{"y":null,"z":3.0}]}');
    expect({ nonFinite, contentType }).toEqual({ nonFinite: 3, contentType: 'application/json' });
    expect(() => answer(3, outputs, { nonFinite: 'reject' })).toThrow(expect.objectContaining({ code: 'NON_FINITE_OUTPUT' }));
  });
});
