import { elementSink, type ElementSink, type Where } from '../../runtime/elements';
import { InvalidValue, TextNotRepresentable } from '../../runtime/runtime.errors';
import type { TensorSpec } from '../../runtime/tensor';

/**
 * Room for elements as TensorFlow Serving takes them: no number comes as a text, and a text may come as `{"b64": …}`. Whole numbers may be
 * written with a point (`1.0`), which JSON.parse does not tell from `1`; and null is NaN, as we write it ourselves.
 */
export function strictSink({ datatype }: TensorSpec, length: number): ElementSink {
  const sink = elementSink(datatype, length);
  const { data } = sink;
  if (datatype === 'FP32' || datatype === 'FP64') {
    const floats = data as Float64Array;
    return { data, set: (at, value, where) => (value === null ? void (floats[at] = Number.NaN) : sink.set(at, value, where)) };
  }
  if (datatype === 'BYTES') return { data, set: (at, value, where) => sink.set(at, isBase64(value) ? textOf(value, where) : value, where) };
  return datatype === 'INT64' || datatype === 'UINT64'
    ? { data, set: (at, value, where) => sink.set(at, noText(value, where), where) }
    : sink;
}

function noText(value: unknown, where: Where): unknown {
  if (typeof value === 'string') throw new InvalidValue(where(), 'a whole number', value);
  return value;
}

/** Whether something is `{"b64": …}`, which is a value, and not an object of values by name. */
export function isBase64(value: unknown): value is { readonly b64: unknown } {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'b64') && Object.keys(value).length === 1;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf({ b64 }: { readonly b64: unknown }, where: Where): string {
  const bytes = typeof b64 === 'string' ? Buffer.from(b64, 'base64') : undefined;
  if (bytes === undefined || bytes.toString('base64') !== b64) throw new InvalidValue(`${where()}.b64`, 'base64 with its padding', b64);
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new TextNotRepresentable(`${where()}.b64`, 'base64 of UTF-8');
  }
}
