import { fromHalf, toHalf } from './half';
import { type Datatype, emptyData, type TensorData } from './tensor';
import { InvalidValue, NumberNotRepresentable, TextNotRepresentable } from './runtime.errors';

/** Where an element came from in the request (`instances[2].age`); made only when it has to be told. */
export type Where = () => string;

/** Takes the elements of a tensor one by one, out of parsed JSON; bigints where it told whole numbers beyond 2^53 so. */
export interface ElementSink {
  readonly data: TensorData;
  /** @throws InvalidValue where it is nothing of this datatype, NumberNotRepresentable where its value would change on the way */
  set(at: number, value: unknown, where: Where): void;
}

const INTEGERS: Partial<Record<Datatype, readonly [number, number]>> = {
  UINT8: [0, 255],
  UINT16: [0, 65_535],
  UINT32: [0, 4_294_967_295],
  INT8: [-128, 127],
  INT16: [-32_768, 32_767],
  INT32: [-2_147_483_648, 2_147_483_647],
};

/** Room for `length` elements of a datatype. */
export function elementSink(datatype: Datatype, length: number): ElementSink {
  const data = emptyData(datatype, length);
  const elements = data as { [at: number]: unknown };
  const convert = converterOf(datatype);
  return { data, set: (at, value, where) => void (elements[at] = convert(value, where)) };
}

function converterOf(datatype: Datatype): (value: unknown, where: Where) => unknown {
  if (datatype === 'FP16') return (value, where) => toHalf(real(value, datatype, where));
  if (datatype === 'FP32' || datatype === 'FP64') return (value, where) => real(value, datatype, where);
  if (datatype === 'BOOL') return truth;
  if (datatype === 'BYTES') return text;
  if (datatype === 'INT64' || datatype === 'UINT64') return (value, where) => long(value, datatype, where);
  return (value, where) => integer(value, datatype, where);
}

const ROUNDED = { FP16: (value: number) => fromHalf(toHalf(value)), FP32: Math.fround, FP64: (value: number) => value } as const;

function real(value: unknown, datatype: keyof typeof ROUNDED, where: Where): number {
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number !== 'number') throw new InvalidValue(where(), 'a number', value);
  if (Number.isFinite(ROUNDED[datatype](number))) return number;
  throw notHeld(datatype, where, value);
}

function integer(value: unknown, datatype: Datatype, where: Where): number {
  const [least, most] = INTEGERS[datatype] as readonly [number, number];
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (Number.isInteger(number) && (number as number) >= least && (number as number) <= most) return number as number;
  if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) throw notHeld(datatype, where, value);
  throw new InvalidValue(where(), `a whole number from ${least} to ${most}`, value);
}

/** 64 bits: a whole number as far as JSON numbers are exact, beyond that as bigint or as text. */
function long(value: unknown, datatype: 'INT64' | 'UINT64', where: Where): bigint {
  if (typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    throw new NumberNotRepresentable(where(), 'whole numbers beyond 2^53 as text ("9007199254740993")', value);
  }
  const written = typeof value === 'bigint' || (typeof value === 'string' && /^-?[0-9]{1,20}$/.test(value));
  if (!written && !Number.isInteger(value)) throw new InvalidValue(where(), 'a whole number', value);
  const whole = BigInt(value as bigint | string | number);
  if (whole === (datatype === 'INT64' ? BigInt.asIntN(64, whole) : BigInt.asUintN(64, whole))) return whole;
  if (typeof value === 'bigint') throw notHeld(datatype, where, value);
  throw new InvalidValue(where(), `a whole number that ${datatype} can hold`, value);
}

function notHeld(datatype: Datatype, where: Where, value: unknown): NumberNotRepresentable {
  return new NumberNotRepresentable(where(), `a number that ${datatype} can hold`, value);
}

function truth(value: unknown, where: Where): number {
  if (typeof value !== 'boolean') throw new InvalidValue(where(), 'true or false', value);
  return value ? 1 : 0;
}

/** The engine ends a text at NUL and replaces half characters: such a text would not arrive as it was sent. */
function text(value: unknown, where: Where): string {
  if (typeof value !== 'string' || !value.isWellFormed()) throw new InvalidValue(where(), 'a text without lone surrogates', value);
  if (value.includes('\0')) throw new TextNotRepresentable(where(), 'a text without NUL');
  return value;
}
