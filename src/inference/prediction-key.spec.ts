import { hash } from 'node:crypto';
import { firstConfusion, LEFT_OUT } from '../../test/inference/keyed-calls';
import { Random, SEED } from '../../test/open-inference/random';
import type { Tensor } from '../runtime/tensor';
import { type KeyedCall, predictionKey } from './prediction-key';

const PAIRS = 20_000;
const X: Tensor = { name: 'x', datatype: 'FP32', shape: [1, 2], data: Float32Array.of(1, 2) };
const CALL: KeyedCall = {
  executable: '0123456789abcdef'.repeat(4),
  signature: { inputs: [{ ...X, shape: [-1, 2] }], outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }] },
  inputs: [X],
};

describe(predictionKey, () => {
  it('names the executable, and tells the rest by a hash that no byte of a request gets into', () => {
    expect(predictionKey(CALL)).toMatch(/^aapi:[0-9a-f]{64}:[A-Za-z0-9_-]{43}$/);
    const hostile = ['\r\nFLUSHALL\r\n', '*1\r\n$8\r\nFLUSHALL', ' ', 'x'.repeat(2 ** 20), '\u0000\u00ff'];
    for (const text of hostile) {
      const input: Tensor = { name: text, datatype: 'BYTES', shape: [1], data: [text] };
      const signature = { ...CALL.signature, inputs: [input] };
      expect(predictionKey({ ...CALL, signature, inputs: [input], outputs: [text] })).toMatch(/^aapi:[0-9a-f]{64}:[A-Za-z0-9_-]{43}$/);
    }
  });

  it('stays what it is: what replicas of another version have kept is found', () => {
    expect(predictionKey({ ...CALL, outputs: ['y'] })).toBe(`aapi:${CALL.executable}:96Hu1SEEsxsGSgWv0rYN6FNtQvdaYI3EFrd5Xd5BUoo`);
  });

  it(`is the same for two calls exactly where they ask the same: ${PAIRS} pairs (SEED=${SEED})`, () => {
    expect(firstConfusion(predictionKey, PAIRS, new Random(SEED))).toBeUndefined();
  });

  it.each(Object.entries(LEFT_OUT))('would confuse calls %s', (_, leftOf) => {
    expect(firstConfusion((call) => predictionKey(leftOf(call)), PAIRS, new Random(SEED))).toBeDefined();
  });

  it('is not changed by a call before it that could not be told', () => {
    const key = predictionKey(CALL);
    expect(() => predictionKey({ ...CALL, inputs: [] })).toThrow(TypeError);
    expect(predictionKey(CALL)).toBe(key);
  });

  it('tells all of a large input', () => {
    const large = (last: number): KeyedCall => {
      const data = new Float32Array(2 ** 20);
      data[data.length - 1] = last;
      return { ...CALL, inputs: [{ ...X, shape: [2 ** 19, 2], data }] };
    };
    expect(predictionKey(large(1))).toBe(predictionKey(large(1)));
    expect(predictionKey(large(1))).not.toBe(predictionKey(large(2)));
    expect(predictionKey(CALL)).toBe(predictionKey({ ...CALL }));
  });

  it('tells blocks on both sides of the size from which they are hashed by themselves', () => {
    const ofBytes = (length: number, at: number): KeyedCall => {
      const data = new Uint8Array(length);
      if (at >= 0) data[at] = 1;
      return { ...CALL, inputs: [{ name: 'x', datatype: 'UINT8', shape: [length], data }] };
    };
    const sizes = [32, 65_535, 65_536, 65_537, 200_000];
    const calls = sizes.flatMap((size) => [-1, 0, size - 1].map((at) => ofBytes(size, at)));
    const keys = calls.map(predictionKey);
    expect(new Set(keys).size).toBe(keys.length);
    expect(calls.map(predictionKey)).toEqual(keys);
    const digest = hash('sha256', new Uint8Array(65_536), 'buffer');
    const fake: Tensor = { name: 'x', datatype: 'UINT8', shape: [65_536], data: digest };
    expect(keys).not.toContain(predictionKey({ ...CALL, inputs: [fake] }));
  });

  it('does not know whether elements are the part of something larger', () => {
    const data = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
    expect(predictionKey({ ...CALL, inputs: [{ ...X, data }] })).toBe(predictionKey(CALL));
  });
});
