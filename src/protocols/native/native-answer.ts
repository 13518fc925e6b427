import type { InferenceResult } from '../../inference/inference-call';
import { labelOutputOf, probabilitiesOf } from '../../models/upload/model-metadata';
import type { VersionRecord } from '../../models/registry/registry-records';
import { shortestFloat32 } from '../../runtime/float32';
import { fromHalf } from '../../runtime/half';
import { type Datatype, elementsOf, type Tensor } from '../../runtime/tensor';
import { countNonFinite, refuseNonFinite } from '../../inference/non-finite';
import { RowsNotSeparable } from './native.errors';
import type { NativeRequest } from './native-request';

/** A value of an output as JSON can carry it: whole numbers beyond 2^53 as text, NaN and infinity as null. */
export type Value = number | string | boolean | null | readonly Value[];

/** What is said of one row. */
export interface NativePrediction {
  readonly prediction: Value;
  /** Probability of the winning class; null where the model has none. */
  readonly confidence: number | null;
  /** By label where the labels are known, else in the model's order. */
  readonly probabilities?: Readonly<Record<string, number | null>> | readonly (number | null)[];
  /** All outputs by name, where there is more than one. */
  readonly outputs?: Readonly<Record<string, Value>>;
}

/** The body of an answer, and how many numbers in it had to become null. */
export interface NativeAnswer {
  readonly body: object;
  readonly nonFinite: number;
}

/** Answers a request in its own form. @throws RowsNotSeparable, NonFiniteOutput where the metadata says `nonFinite: reject` */
export function encodeAnswer(
  { single, rows }: NativeRequest,
  { outputs: computed }: Pick<InferenceResult, 'outputs'>,
  version: VersionRecord,
  now: Date,
): NativeAnswer {
  const outputs = computed.map(widened);
  refuseNonFinite(outputs, version);
  const nonFinite = outputs.reduce((sum, output) => sum + countNonFinite(output), 0);
  if (rows > 1) refuseInseparable(outputs, rows);
  const predictions = Array.from({ length: rows }, (_, row) => predictionOf(outputs, row, rows, version));
  const about = { timestamp: now.toISOString(), model: version.model, model_version: version.version };
  return { body: single ? { ...predictions[0], ...about } : { predictions, ...about }, nonFinite };
}

/** Halves as numbers. */
function widened(tensor: Tensor): Tensor {
  if (tensor.datatype !== 'FP16') return tensor;
  return { ...tensor, datatype: 'FP64', data: Float64Array.from(tensor.data as Uint16Array, fromHalf) };
}

function predictionOf(
  outputs: readonly Tensor[],
  row: number,
  rows: number,
  { signature, manifest, labels: own }: VersionRecord,
): NativePrediction {
  const { metadata } = manifest;
  const valueOf = (name: string | undefined): Value | undefined => {
    const tensor = outputs.find((output) => output.name === name);
    return tensor && rowValue(tensor, row, rows);
  };
  const all =
    outputs.length > 1 ? { outputs: Object.fromEntries(outputs.map((tensor) => [tensor.name, rowValue(tensor, row, rows)])) } : {};
  const label = metadata.task === 'regression' || metadata.task === 'other' ? undefined : valueOf(labelOutputOf(signature.outputs)?.name);
  const columns = valueOf(probabilitiesOf(metadata, signature)?.name);
  if (columns === undefined)
    return { prediction: labelled(label, metadata.labels) ?? valueOf(outputs[0]?.name) ?? null, confidence: null, ...all };
  const given = probabilities(columns, metadata.labels ?? own);
  const found =
    metadata.labels === undefined && own !== undefined ? ownClass(given, label, own) : classified(given, label, metadata.labels);
  return { ...found, ...all };
}

/** A column of its own for each class; a single column is the probability of the second of two. */
function probabilities(columns: Value, labels: readonly unknown[] | undefined): readonly (number | null)[] {
  const given = (Array.isArray(columns) ? columns : [columns]) as readonly (number | null)[];
  const [second = null] = given;
  return given.length === 1 && (labels?.length ?? 2) === 2 ? [second === null ? null : 1 - second, second] : given;
}

function classified(given: readonly (number | null)[], label: Value | undefined, labels: readonly string[] | undefined): NativePrediction {
  const known = given.includes(null) ? [] : (given as readonly number[]);
  const confidence = known.length === 0 ? null : known.reduce((most, each) => Math.max(most, each));
  const winner = confidence === null ? -1 : known.indexOf(confidence);
  const own = label ?? (winner === -1 ? null : winner);
  const byLabel = labels && Object.fromEntries(labels.map((name, at) => [name, given[at] ?? null]));
  return { prediction: labels === undefined ? own : (labels[winner] ?? null), confidence, probabilities: byLabel ?? given };
}

/** The model names its classes itself, and says which one it is: that need not be the one of the greatest probability. */
function ownClass(given: readonly (number | null)[], label: Value | undefined, labels: readonly (string | number)[]): NativePrediction {
  const { prediction, confidence } = classified(given, undefined, labels.map(String));
  const byLabel = Object.fromEntries(labels.map((name, at) => [String(name), given[at] ?? null]));
  const said = labels.findIndex((name) => name === label);
  if (said === -1) return { prediction: labels.find((name) => String(name) === prediction) ?? null, confidence, probabilities: byLabel };
  return { prediction: label as Value, confidence: given[said] ?? null, probabilities: byLabel };
}

/** A class that has no label is answered as the model says it. */
function labelled(label: Value | undefined, labels: readonly string[] | undefined): Value | undefined {
  return typeof label === 'number' && labels !== undefined ? (labels[label] ?? label) : label;
}

/** The part of an output that belongs to a row: a lone element as itself, anything else as an array. */
function rowValue({ data, shape, datatype }: Tensor, row: number, rows: number): Value {
  const inner = shape[0] === rows ? shape.slice(1) : shape;
  const size = elementsOf(inner);
  const start = shape[0] === rows ? row * size : 0;
  const element = (at: number): Value => jsonValue(data[at] as number | bigint | string, datatype);
  return size === 1 && inner.length <= 1 ? element(start) : nest(inner, start, element);
}

function nest(shape: readonly number[], start: number, element: (at: number) => Value): Value {
  const [length, ...inner] = shape;
  if (length === undefined) return element(start);
  const step = elementsOf(inner);
  return Array.from({ length }, (_, at) => nest(inner, start + at * step, element));
}

function jsonValue(value: number | bigint | string, datatype: Datatype): Value {
  if (datatype === 'BOOL') return value === 1;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (typeof value === 'string') return value;
  if (!Number.isFinite(value)) return null;
  return datatype === 'FP32' ? shortestFloat32(value) : value;
}

function refuseInseparable(outputs: readonly Tensor[], rows: number): void {
  const whole = outputs.find(({ shape }) => shape[0] !== rows);
  if (whole !== undefined) throw new RowsNotSeparable(whole.name, rows);
}
