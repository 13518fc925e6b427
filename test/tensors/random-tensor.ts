import { type Datatype, elementsOf, emptyData, type Tensor } from '../../src/runtime/tensor';
import type { Chance } from '../crash/power-cut-random';

const SCRATCH = new DataView(new ArrayBuffer(8));
const PIECES = ['a', 'Z', ' ', '"', '\\', '/', '\n', '\u0001', '\u007f', '\ufeff', 'é', 'e\u0301', '☃', '\u2028', '🐎', '{"b64":', '0'];

const LONG = {
  INT64: [0n, 1n, -1n, 2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)],
  UINT64: [0n, 1n, 2n ** 53n - 1n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n],
} as const;
const WHOLE = {
  UINT8: [0, 255],
  UINT16: [0, 65_535],
  UINT32: [0, 4_294_967_295],
  INT8: [-128, 127],
  INT16: [-32_768, 32_767],
  INT32: [-2_147_483_648, 2_147_483_647],
} as const;
const FLOAT = {
  FP32: [0, -0, 1, -1, 0.1, 16_777_217, 3.4028234663852886e38, 1.1754943508222875e-38, 1.401298464324817e-45, 9.9999999e20, 1e21],
  FP64: [0, -0, 1, -1, 0.1, 2 ** 53 + 2, Number.MAX_VALUE, Number.MIN_VALUE, 2.2250738585072014e-308, 1e21, 1e-7],
} as const;

/** A tensor of finite numbers, truth values or UTF-8 text: any bits that JSON can carry, the extremes of its datatype often. */
export function randomTensor(chance: Chance, name: string, datatype: Datatype, shape: readonly number[]): Tensor {
  const data = emptyData(datatype, elementsOf(shape));
  const elements = data as { [at: number]: unknown };
  for (let at = 0; at < data.length; at++) elements[at] = element(chance, datatype);
  return { name, datatype, shape, data };
}

function element(chance: Chance, datatype: Datatype): unknown {
  const extreme = chance.whole(0, 3) === 0;
  if (datatype === 'BOOL') return chance.whole(0, 1);
  if (datatype === 'BYTES') return Array.from({ length: chance.whole(0, 4) }, () => chance.oneOf(PIECES)).join('');
  if (datatype === 'FP32' || datatype === 'FP64') return extreme ? chance.oneOf<number>(FLOAT[datatype]) : finite(chance, datatype);
  if (datatype === 'INT64' || datatype === 'UINT64') return extreme ? chance.oneOf<bigint>(LONG[datatype]) : long(chance, datatype);
  const [least, most] = WHOLE[datatype as keyof typeof WHOLE];
  return extreme ? chance.oneOf([least, most]) : chance.whole(least, most);
}

function finite(chance: Chance, datatype: 'FP32' | 'FP64'): number {
  for (;;) {
    randomBits(chance);
    const value = datatype === 'FP32' ? SCRATCH.getFloat32(0) : SCRATCH.getFloat64(0);
    if (Number.isFinite(value)) return value;
  }
}

function long(chance: Chance, datatype: 'INT64' | 'UINT64'): bigint {
  randomBits(chance);
  return datatype === 'INT64' ? SCRATCH.getBigInt64(0) : SCRATCH.getBigUint64(0);
}

function randomBits(chance: Chance): void {
  SCRATCH.setUint32(0, chance.whole(0, 2 ** 32 - 1));
  SCRATCH.setUint32(4, chance.whole(0, 2 ** 32 - 1));
}
