import { shortestFloat32 } from './float32';

const BITS = new Uint32Array(1);
const FLOAT = new Float32Array(BITS.buffer);

function floatOf(bits: number): number {
  BITS[0] = bits;
  return FLOAT[0] as number;
}

/** By trying: of the decimals with the fewest digits that read back, the nearest, of two such the even one. */
function oracle(value: number): number {
  const [mantissa = '', power] = value.toExponential(20).split('e');
  const all = mantissa.replace('.', '');
  for (let digits = 1; digits <= 9; digits++) {
    const below = Number(all.slice(0, digits));
    const rest = all.slice(digits);
    const isAbove = /^50*$/.test(rest) ? below % 2 === 1 : rest >= '5';
    const decimals = [below, below + 1].map((each) => Number(`${each}e${Number(power) - digits + 1}`));
    const found = (isAbove ? decimals.reverse() : decimals).find((decimal) => Math.fround(decimal) === value);
    if (found !== undefined) return found;
  }
  throw new Error(`nine digits do not tell ${value}`);
}

/** Values that are not what the oracle says; each with its sign changed, too. */
function wrong(allBits: Iterable<number>): readonly unknown[] {
  const found: unknown[] = [];
  for (const bits of allBits) {
    const value = floatOf(bits);
    if (!Number.isFinite(value)) continue;
    const [expected, shortest, opposite] = [oracle(value), shortestFloat32(value), shortestFloat32(-value)];
    if (shortest !== expected || opposite !== -expected) found.push({ bits, value, expected, shortest, opposite });
  }
  return found;
}

/** xorshift32: the same bit patterns in every run. */
function* randomBits(count: number, least: number, most: number): Generator<number> {
  let state = 0x9e3779b9;
  for (let at = 0; at < count; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield least + ((state >>> 0) % (most - least));
  }
}

const ONE = 0x3f800000;
const INFINITY = 0x7f800000;
const NORMAL = 0x00800000;

describe(shortestFloat32, () => {
  it.each([
    [0.1, '0.1'],
    [-0.3, '-0.3'],
    [16_777_216, '16777216'],
    [33_554_432, '33554432'],
    [1 / 3, '0.33333334'],
    [Math.PI, '3.1415927'],
    [1e-45, '1e-45'],
    [3.4028234663852886e38, '3.4028235e+38'],
    [1.1754943508222875e-38, '1.1754944e-38'],
    [2 ** -44, '5.684342e-14'],
    [9.999999e-5, '0.00009999999'],
    [2.050_781_25, '2.0507812'],
    [6.203_820_45e29, '6.2038205e+29'],
    [1e10, '10000000000'],
    [1e23, '1e+23'],
  ])('of the float32 next to %d prints %s', (value, text) => {
    expect(JSON.stringify(shortestFloat32(Math.fround(value)))).toBe(text);
  });

  it.each([-0, 0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('leaves %d as it is', (value) => {
    expect(shortestFloat32(value)).toBe(value);
  });

  it('says what trying says of 150000 float32 of any size', () => {
    expect(wrong(randomBits(150_000, 0, INFINITY))).toEqual([]);
  });

  it('says what trying says of 50000 float32 from 2^-20 to 2^20', () => {
    expect(wrong(randomBits(50_000, ONE - 20 * NORMAL, ONE + 20 * NORMAL))).toEqual([]);
  });

  it('says what trying says of 10000 float32 below the normal ones, and of the least and the greatest of them', () => {
    expect(wrong(randomBits(10_000, 1, NORMAL))).toEqual([]);
    expect(wrong(Array.from({ length: 2000 }, (_, at) => at + 1))).toEqual([]);
    expect(wrong(Array.from({ length: 2000 }, (_, at) => NORMAL - 1000 + at))).toEqual([]);
  });

  it('says what trying says of every power of two and what is next to it', () => {
    const powers = [...Array.from({ length: 23 }, (_, at) => 2 ** at), ...Array.from({ length: 254 }, (_, at) => (at + 1) * NORMAL)];
    expect(wrong(powers.flatMap((bits) => [bits - 2, bits - 1, bits, bits + 1, bits + 2].filter((each) => each > 0)))).toEqual([]);
  });

  it('says what trying says of every power of ten, the greatest float32, and what is next to them', () => {
    const tens = Array.from({ length: 84 }, (_, at) => {
      FLOAT[0] = Number(`1e${at - 45}`);
      return BITS[0] as number;
    });
    const bits = [...tens, INFINITY - 1].flatMap((each) => [each - 2, each - 1, each, each + 1, each + 2].filter((next) => next > 0));
    expect(wrong(bits)).toEqual([]);
  });

  it('says what trying says of decimals with two digits after the point', () => {
    const bits = Array.from({ length: 20_000 }, (_, at) => {
      FLOAT[0] = at / 100 + 0.01;
      return BITS[0] as number;
    });
    expect(wrong(bits)).toEqual([]);
  });
});
