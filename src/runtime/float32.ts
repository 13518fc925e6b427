const SCRATCH = new Float32Array(1);
const BITS = new Uint32Array(SCRATCH.buffer);
const MANTISSA = 0x7fffff;
/** A double holds the first 23 exactly. */
const TENS = Float64Array.from({ length: 64 }, (_, power) => Number(`1e${power}`));
const EXACT_POWER = 22;
/** Beyond this power of ten no float32 lies half way between two decimals of nine digits: 5^14 is more than twice as large as they. */
const TIED_POWER = 13;
/** By the bits of the exponent: the power of ten that the least number with it is not below. */
const POWERS = Int8Array.from({ length: 255 }, (_, exponent) => Math.floor(Math.log10(2 ** (exponent - 127))));
/** Two decimals of so many digits are never one float32, unless it is below the normal ones: what has fewer is found with so many. */
const SAFE_DIGITS = 6;
/** So many digits tell every float32. */
const ALL_DIGITS = 9;

/**
 * The double whose own shortest text is the shortest decimal that reads back as the same float32, of those the nearest, of two such the
 * even one: 0.1 for 0.10000000149011612, which `JSON.stringify` then writes so.
 * @param value a float32; −0, NaN and the infinities come back as they are
 */
export function shortestFloat32(value: number): number {
  const size = Math.abs(value);
  if (!(size < Number.POSITIVE_INFINITY) || (size < 2 ** 24 && Number.isInteger(value))) return value;
  SCRATCH[0] = size;
  const shortest = shortestOf(size, BITS[0] as number);
  return value < 0 ? -shortest : shortest;
}

function shortestOf(size: number, bits: number): number {
  const isPowerOfTwo = (bits & MANTISSA) === 0;
  const power = powerOf(size, bits >>> 23);
  for (let digits = bits > MANTISSA ? SAFE_DIGITS : 1; digits < ALL_DIGITS; digits++) {
    const scale = power + 1 - digits;
    const nearest = toEven(scaled(size, -scale));
    if (Math.fround(scaled(nearest, scale)) === size) return rounded(size, digits, scale);
    // the float32 below a power of two is half as far as the one above: the nearest decimal may be its, and the next one ours
    if (isPowerOfTwo && Math.fround(scaled(nearest + 1, scale)) === size) return Number(`${nearest + 1}e${scale}`);
  }
  return rounded(size, ALL_DIGITS, power + 1 - ALL_DIGITS);
}

/** What a reader gets for so many digits of a number, the last of them worth 10^scale. */
function rounded(size: number, digits: number, scale: number): number {
  const exact = scaled(size, -scale);
  const nearest = toEven(exact);
  const power = Math.abs(scale);
  const looksTied = power > TIED_POWER && Math.abs(nearest - exact) === 0.5;
  return power > EXACT_POWER || looksTied ? Number(size.toPrecision(digits)) : scaled(nearest, scale);
}

/** The power of ten of the first digit. */
function powerOf(size: number, exponent: number): number {
  if (exponent === 0) return Math.floor(Math.log10(size));
  const power = POWERS[exponent] as number;
  return size >= scaled(1, power + 1) ? power + 1 : power;
}

/** value × 10^power: rounded once, as a reader of the decimal does, for a power from −22 to 22; else within two units in the last place. */
function scaled(value: number, power: number): number {
  return power < 0 ? value / (TENS[-power] as number) : value * (TENS[power] as number);
}

function toEven(value: number): number {
  const up = Math.round(value);
  return up - value === 0.5 ? up - (up % 2) : up;
}
