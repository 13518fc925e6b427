import { fromHalf, toHalf } from './half';

const ALL = Array.from({ length: 2 ** 16 }, (_, bits) => bits);
const INFINITY = 0x7c00;
const GREATEST = 0x7bff;

/** What IEEE 754 says of 16 bits: a sign, 5 bits of exponent with a bias of 15, 10 bits of fraction. */
function meaning(bits: number): number {
  const exponent = (bits >> 10) & 0x1f;
  const fraction = (bits & 0x3ff) / 2 ** 10;
  const sign = bits >> 15 === 0 ? 1 : -1;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15));
}

/** All bits from 0 up to those of the greatest number, with those of the next number: the one after the greatest would be 2^16. */
const STEPS = ALL.slice(0, INFINITY).map((bits) => {
  const next = bits === GREATEST ? 2 ** 16 : meaning(bits + 1);
  return { bits, middle: (meaning(bits) + next) / 2 };
});

describe(fromHalf, () => {
  it('says of all 65,536 what IEEE 754 says', () => {
    expect(ALL.filter((bits) => !Object.is(fromHalf(bits), meaning(bits)))).toEqual([]);
  });

  it.each([
    [0x0000, 0],
    [0x8000, -0],
    [0x0001, 2 ** -24],
    [0x03ff, 2 ** -14 - 2 ** -24],
    [0x0400, 2 ** -14],
    [0x3c00, 1],
    [0xc000, -2],
    [0x3555, 0.333251953125],
    [GREATEST, 65_504],
    [INFINITY, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x7e00, Number.NaN],
    [0xfc01, Number.NaN],
  ])('takes the bits %d for %d', (bits, number) => {
    expect(fromHalf(bits)).toBe(number);
  });
});

describe(toHalf, () => {
  it('gives all 65,536 back as they were, and a NaN for a NaN', () => {
    expect(ALL.filter((bits) => !Number.isNaN(meaning(bits)) && toHalf(fromHalf(bits)) !== bits)).toEqual([]);
    const nans = ALL.filter((bits) => Number.isNaN(meaning(bits)));
    expect(nans).toHaveLength(2 * 1023);
    expect(nans.filter((bits) => !Number.isNaN(meaning(toHalf(fromHalf(bits)))))).toEqual([]);
  });

  it('rounds what is halfway between two to the even one, of either sign', () => {
    const even = (bits: number) => bits + (bits % 2);
    expect(STEPS.filter(({ bits, middle }) => toHalf(middle) !== even(bits))).toEqual([]);
    expect(STEPS.filter(({ bits, middle }) => toHalf(-middle) !== (even(bits) | 0x8000))).toEqual([]);
  });

  it('rounds what is hardly more or less than halfway to the nearest one, at once and not by way of an FP32', () => {
    expect(STEPS.filter(({ bits, middle }) => toHalf(middle * (1 - Number.EPSILON)) !== bits)).toEqual([]);
    expect(STEPS.filter(({ bits, middle }) => toHalf(middle * (1 + Number.EPSILON)) !== bits + 1)).toEqual([]);
  });

  it.each([65_520, 65_536, 1e300, Number.POSITIVE_INFINITY])('makes infinity of %d, which is too large', (number) => {
    expect(toHalf(number)).toBe(INFINITY);
    expect(toHalf(-number)).toBe(INFINITY | 0x8000);
  });

  it.each([2 ** -25, 1e-300, Number.MIN_VALUE, 0])('makes a zero of the same sign of %d, which is too small', (number) => {
    expect(toHalf(number)).toBe(0);
    expect(toHalf(-number)).toBe(0x8000);
  });
});
