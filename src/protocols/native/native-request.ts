import { ShapeMismatch } from '../../inference/inference.errors';
import type { VersionRecord } from '../../models/registry/registry-records';
import { elementSink, type ElementSink } from '../../runtime/elements';
import { InvalidValue } from '../../runtime/runtime.errors';
import type { Tensor, TensorSpec } from '../../runtime/tensor';
import { MalformedBody } from '../../wire/wire.errors';
import { nestedTensor } from '../nested-tensor';
import { FeatureNamesMissing, MissingFeature, UnknownFeature } from './native.errors';

/** A native request, decoded for one version. */
export interface NativeRequest {
  /** Whether one row was asked for, outside of any array: the answer has the same form. */
  readonly single: boolean;
  readonly rows: number;
  readonly inputs: readonly Tensor[];
}

/**
 * Decodes `{ "features": {…} }`, `{ "features": [{…}, …] }` or `{ "instances": [[…] or {…}, …] }`.
 * @throws MalformedBody, RaggedRows, NumberNotRepresentable for what no model could read; FeatureNamesMissing, MissingFeature,
 *   UnknownFeature, InvalidValue, ShapeMismatch for what this version cannot
 */
export function decodeRequest(body: unknown, version: Pick<VersionRecord, 'signature' | 'manifest'>): NativeRequest {
  const [member, value] = onlyMember(body);
  const single = member === 'features' && !Array.isArray(value);
  const rows = single ? [value] : value;
  if (!Array.isArray(rows)) throw new MalformedBody(`${member} must be an array of rows`, { field: member, expected: 'an array of rows' });
  if (rows.length === 0) throw new MalformedBody(`${member} has no rows`, { field: member, expected: 'at least one row', actual: 'none' });
  const where = (row: number): string => (single ? member : `${member}[${row}]`);
  const { inputs } = version.signature;
  const [only] = inputs;
  if (inputs.length !== 1 || only === undefined) return { single, rows: rows.length, inputs: fromNamedInputs(rows, inputs, where) };
  return { single, rows: rows.length, inputs: [fromRows(rows, only, version.manifest.metadata.featureNames, where)] };
}

function onlyMember(body: unknown): readonly ['features' | 'instances', unknown] {
  const expected = 'one member, "features" or "instances"';
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new MalformedBody('The body must be an object', { field: 'body', expected });
  const [member, ...more] = Object.keys(body);
  if ((member !== 'features' && member !== 'instances') || more.length > 0) {
    const actual = Object.keys(body).slice(0, 5).join(', ') || 'none';
    throw new MalformedBody('The body must have features or instances, and nothing else', { field: 'body', expected, actual });
  }
  return [member, (body as Record<string, unknown>)[member]];
}

/** One input: each row is its values in order, or an object of features where the names of the columns are known. */
function fromRows(
  rows: readonly unknown[],
  spec: TensorSpec,
  names: readonly string[] | undefined,
  where: (row: number) => string,
): Tensor {
  const values = rows.map((row, at) => (isObject(row) ? pick(row, names, spec, where(at)) : scalarAsColumn(row, spec)));
  const path = (row: number, at: readonly number[]): string => {
    const [column] = at;
    const named = isObject(rows[row]) && names !== undefined && column !== undefined;
    return named ? `${where(row)}.${names[column]}` : where(row) + at.map((index) => `[${index}]`).join('');
  };
  return stack(values, spec, path);
}

/** Several inputs: each row is an object with a value for each of them. */
function fromNamedInputs(rows: readonly unknown[], specs: readonly TensorSpec[], where: (row: number) => string): readonly Tensor[] {
  const names = specs.map(({ name }) => name);
  const picked = rows.map((row, at) => {
    if (!isObject(row)) throw new InvalidValue(where(at), `an object with ${names.join(', ')}`, row);
    return pickAll(row, names, where(at));
  });
  return specs.map((spec, column) => {
    const path = (row: number, at: readonly number[]): string => {
      const given = Array.isArray(picked[row]?.[column]) ? at : []; // a lone value is not where its column is
      return `${where(row)}.${spec.name}${given.map((index) => `[${index}]`).join('')}`;
    };
    return stack(picked.map((values) => scalarAsColumn(values[column], spec)), spec, path); // prettier-ignore
  });
}

/** An input of one column takes `3` for `[3]`. */
function scalarAsColumn(value: unknown, { shape }: TensorSpec): unknown {
  return shape.length === 2 && shape[1] === 1 && !Array.isArray(value) ? [value] : value;
}

function pick(row: object, names: readonly string[] | undefined, { shape }: TensorSpec, where: string): readonly unknown[] {
  if (names === undefined) throw new FeatureNamesMissing(where, shape.length === 2 ? shape[1] : undefined);
  return pickAll(row, names, where);
}

function pickAll(row: object, names: readonly string[], where: string): readonly unknown[] {
  const missing = names.find((name) => !Object.hasOwn(row, name));
  if (missing !== undefined) throw new MissingFeature(`${where}.${missing}`, 'a value');
  const given = Object.keys(row);
  if (given.length > names.length) {
    const known = new Set(names);
    throw new UnknownFeature(`${where}.${given.find((name) => !known.has(name))?.slice(0, 80)}`, names);
  }
  return names.map((name) => (row as Record<string, unknown>)[name]);
}

/** Rows of equal shape, one after another, as one tensor. A free dimension is as long as in the first row. */
function stack(rows: readonly unknown[], spec: TensorSpec, path: (row: number, at: readonly number[]) => string): Tensor {
  const { name, shape } = spec;
  if (shape.length > 0) {
    const anyRows = { ...spec, shape: [-1, ...shape.slice(1)] };
    return nestedTensor(anyRows, rows, ([row = 0, ...at]) => path(row, at), sinkOf);
  }
  if (rows.length > 1) throw new ShapeMismatch(name, 'one row: the input is a single value', `${rows.length} rows`);
  return nestedTensor(spec, rows[0], () => path(0, []), sinkOf);
}

function sinkOf({ datatype }: TensorSpec, length: number): ElementSink {
  return elementSink(datatype, length);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
