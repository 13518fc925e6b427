import { Random, SEED } from '../../test/open-inference/random';
import { DATATYPES, elementsOf, emptyData, type Tensor, type TensorData } from '../runtime/tensor';
import { CachedOutputs, ownOutputs } from './cached-outputs';

const form = new CachedOutputs();
const Y: Tensor = { name: 'y', datatype: 'FP32', shape: [2, 2], data: Float32Array.of(1, -0, Number.NaN, Number.POSITIVE_INFINITY) };
const LABEL: Tensor = { name: 'label', datatype: 'BYTES', shape: [3], data: ['setosa', '', '\ufeffé☃🐎\u0000'] };

function randomOutputs(random: Random): readonly Tensor[] {
  return Array.from({ length: random.below(4) }, (_, at) => {
    const datatype = random.pick(DATATYPES);
    const shape = Array.from({ length: random.below(4) }, () => random.below(4));
    const data = emptyData(datatype, elementsOf(shape));
    if ('byteLength' in data) new Uint8Array(data.buffer).set(random.bytes(data.byteLength));
    else data.fill('é'.repeat(random.below(3)));
    return { name: `out-${at}`, datatype, shape, data };
  });
}

/** NaN is as good as its bits. */
function bitsOf(outputs: readonly Tensor[]): unknown {
  const bits = (data: TensorData): unknown =>
    'byteLength' in data ? [data.constructor.name, Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex')] : data;
  return outputs.map((output) => ({ ...output, data: bits(output.data) }));
}

/** What becomes of bytes. */
function fateOf(bytes: Uint8Array): string {
  try {
    const broken = form.decode(bytes).find(({ name, shape, data }) => data.length !== elementsOf(shape) || !name.isWellFormed());
    return broken === undefined ? 'holds together' : `broken: ${JSON.stringify(broken.shape)}`;
  } catch (error) {
    return /^(RangeError|TypeError)$/.test((error as Error).name) ? 'refused' : String(error);
  }
}

function memoryOf({ data }: Tensor): number {
  return (data as Float32Array).buffer.byteLength;
}

describe(CachedOutputs, () => {
  it(`come back as they were, to the last bit (SEED=${SEED})`, () => {
    const random = new Random(SEED);
    for (let time = 0; time < 2000; time++) {
      const outputs = randomOutputs(random);
      expect(bitsOf(form.decode(form.encode(outputs)))).toEqual(bitsOf(outputs));
    }
  });

  it('come back from anywhere in memory, and own theirs', () => {
    const encoded = form.encode([Y, LABEL]);
    for (let offset = 0; offset < 8; offset++) {
      const bytes = new Uint8Array(encoded.length + 8).subarray(offset, offset + encoded.length);
      bytes.set(encoded);
      const outputs = form.decode(bytes);
      bytes.fill(0);
      expect(bitsOf(outputs)).toEqual(bitsOf([Y, LABEL]));
      expect(memoryOf(outputs[0] as Tensor)).toBe(16);
    }
  });

  it('are not read from bytes that are cut off, or too many, or of another form', () => {
    const encoded = form.encode([Y, LABEL]);
    for (let length = 0; length < encoded.length; length++) expect(fateOf(encoded.subarray(0, length))).toBe('refused');
    expect(() => form.decode(Buffer.concat([encoded, Buffer.of(0)]))).toThrow(RangeError);
    for (let at = 0; at < 8; at++) {
      const other = Uint8Array.from(encoded);
      other[at] = (other[at] as number) ^ 1;
      expect(() => form.decode(other)).toThrow(RangeError);
    }
  });

  it(`are tensors that hold together, or nothing, whatever the bytes say (SEED=${SEED})`, () => {
    const random = new Random(SEED);
    let refused = 0;
    for (let time = 0; time < 20_000; time++) {
      const bytes = Uint8Array.from(form.encode(randomOutputs(random)));
      for (let change = 0; change <= random.below(3); change++) bytes[random.below(bytes.length)] = random.bits();
      const fate = fateOf(bytes);
      expect(['refused', 'holds together']).toContain(fate);
      if (fate === 'refused') refused++;
    }
    expect(refused).toBeGreaterThan(1000);
  });

  it('are a copy: what they were made of may go, or be something else', () => {
    const batch = Float32Array.from({ length: 1000 }, (_, at) => at);
    const [own] = ownOutputs([{ ...Y, data: batch.subarray(10, 14) }]) as readonly [Tensor];
    expect(memoryOf(own)).toBe(16);
    batch.fill(0);
    expect(own).toEqual({ ...Y, data: Float32Array.of(10, 11, 12, 13) });
  });

  it('weigh what they take', () => {
    const small = form.bytesOf([Y]);
    expect(form.bytesOf([{ ...Y, data: new Float32Array(1004) }]) - small).toBe(4000);
    expect(form.bytesOf([LABEL])).toBeGreaterThan(2 * LABEL.data.join('').length);
  });
});
