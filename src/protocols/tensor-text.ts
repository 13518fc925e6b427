import { shortestFloat32 } from '../runtime/float32';
import { fromHalf } from '../runtime/half';
import { elementsOf, type Datatype, type Tensor } from '../runtime/tensor';

/** How elements are written. */
export interface TextStyle {
  /** Whether a floating-point number always has a point or an exponent: `1.0`. */
  readonly floatPoint?: boolean;
  /** Whether a text is written as `{"b64": …}`, the base64 of its UTF-8. */
  readonly base64?: boolean;
}

type Write = (value: number | bigint | string) => string;

/** The elements as one JSON array, row-major. NaN and infinity become null, 64-bit integers all their digits, FP32 its shortest text. */
export function flatText(tensor: Tensor): string {
  const { datatype, data } = tensor;
  const numbers = datatype === 'FP32' || datatype === 'FP64' ? plainNumbers(data as Float32Array, datatype) : undefined;
  return numbers === undefined ? `[${elementTexts(tensor, {}).join(',')}]` : JSON.stringify(numbers);
}

/** What JSON.stringify writes as wanted, in half the time; undefined where there is a −0, of which it keeps no sign. */
function plainNumbers(data: Float32Array | Float64Array, datatype: 'FP32' | 'FP64'): readonly number[] | undefined {
  const numbers: number[] = [];
  for (let at = 0; at < data.length; at++) {
    const value = data[at] as number;
    if (Object.is(value, -0)) return undefined;
    numbers.push(datatype === 'FP32' ? shortestFloat32(value) : value);
  }
  return numbers;
}

/** The elements as JSON arrays in arrays, as deep as the shape is long; a scalar is no array. Numbers as in `flatText`. */
export function nestedText(tensor: Tensor, style: TextStyle = {}): string {
  return nest(elementTexts(tensor, style), 0, tensor.shape);
}

/** As `nestedText`, but each part of the first dimension for itself. */
export function rowTexts(tensor: Tensor, style: TextStyle = {}): readonly string[] {
  const [rows = 0, ...inner] = tensor.shape;
  const texts = elementTexts(tensor, style);
  const step = elementsOf(inner);
  return Array.from({ length: rows }, (_, row) => nest(texts, row * step, inner));
}

/** A plain loop: Array.from takes half as long again over a typed array. */
function elementTexts({ datatype, data }: Tensor, style: TextStyle): readonly string[] {
  const write = writerOf(datatype, style);
  const texts: string[] = [];
  for (let at = 0; at < data.length; at++) texts.push(write(data[at] as number | bigint | string));
  return texts;
}

function nest(texts: readonly string[], start: number, [length, ...inner]: readonly number[]): string {
  if (length === undefined) return texts[start] as string;
  if (inner.length === 0) return `[${texts.slice(start, start + length).join(',')}]`;
  const step = elementsOf(inner);
  return `[${Array.from({ length }, (_, at) => nest(texts, start + at * step, inner)).join(',')}]`;
}

function writerOf(datatype: Datatype, { floatPoint = false, base64 = false }: TextStyle): Write {
  const float = floatPoint ? withPoint : floatText;
  if (datatype === 'FP32') return (value) => float(shortestFloat32(value as number));
  if (datatype === 'FP64') return (value) => float(value as number);
  if (datatype === 'FP16') return (value) => float(fromHalf(value as number));
  if (datatype === 'BOOL') return (value) => (value === 1 ? 'true' : 'false');
  if (datatype !== 'BYTES') return String;
  return base64 ? (value) => `{"b64":"${Buffer.from(value as string).toString('base64')}"}` : (value) => JSON.stringify(value);
}

function floatText(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  return Object.is(value, -0) ? '-0' : String(value);
}

function withPoint(value: number): string {
  const text = floatText(value);
  return Number.isInteger(value) && !text.includes('e') ? `${text}.0` : text;
}
