import { ShapeMismatch } from '../../inference/inference.errors';
import { InvalidValue } from '../../runtime/runtime.errors';
import type { Signature, Tensor, TensorSpec } from '../../runtime/tensor';
import { MalformedBody } from '../../wire/wire.errors';
import { nestedTensor, type Place } from '../nested-tensor';
import { isBase64, strictSink } from './strict-sink';
import { DatatypeWithoutJson, SignatureUnknown } from './tensorflow-serving.errors';

/** The member that says how a question is told: row by row, or input by input. */
export type Form = 'instances' | 'inputs';

/** A question, decoded for one version. */
export interface PredictRequest {
  readonly inputs: readonly Tensor[];
  /** How many rows were asked for; `undefined`: it was asked input by input. */
  readonly rows: number | undefined;
}

/** How a body tells its question. @throws MalformedBody, SignatureUnknown */
export function formOf(body: unknown): Form {
  if (!isObject(body)) throw new MalformedBody('JSON Parse error: the body is not an object', { field: 'body', expected: 'an object' });
  const { signature_name: signature = '' } = body as { readonly signature_name?: unknown };
  if (typeof signature !== 'string')
    throw new MalformedBody("When provided 'signature_name' key must be a string", { field: 'signature_name', expected: 'a string' });
  if (signature !== '' && signature !== 'serving_default') throw new SignatureUnknown(signature);
  const given = (['instances', 'inputs'] as const).filter((form) => Object.hasOwn(body, form));
  const details = { field: 'body', expected: '"instances" or "inputs"', actual: given.length === 0 ? 'neither' : 'both' };
  if (given.length > 1) throw new MalformedBody("Not formatted correctly: expecting only one of 'inputs' or 'instances' keys to exist", details); // prettier-ignore
  const [form] = given;
  if (form === undefined) throw new MalformedBody("Missing 'inputs' or 'instances' key", details);
  return form;
}

/**
 * What a body asks of a model with this signature.
 * @throws DatatypeWithoutJson, MalformedBody, RaggedRows, ShapeMismatch, InvalidValue, NumberNotRepresentable,
 *   TextNotRepresentable
 */
export function decodePredict(form: Form, body: unknown, signature: Signature): PredictRequest {
  refuseHalves(signature);
  const value = (body as Record<Form, unknown>)[form];
  if (form === 'inputs') return { inputs: fromColumns(value, signature.inputs), rows: undefined };
  if (!Array.isArray(value) || value.length === 0) throw noRows(value);
  return { inputs: fromRows(value, signature.inputs), rows: value.length };
}

function refuseHalves({ inputs, outputs }: Signature): void {
  const isHalf = ({ datatype }: TensorSpec): boolean => datatype === 'FP16';
  const half = inputs.find(isHalf) ?? outputs.find(isHalf);
  if (half !== undefined) throw new DatatypeWithoutJson(inputs.includes(half) ? 'input' : 'output', half.name, half.datatype);
}

function noRows(value: unknown): MalformedBody {
  const actual = Array.isArray(value) ? 'none' : 'no list';
  return new MalformedBody("Expecting 'instances' to be a list of rows", { field: 'instances', expected: 'at least one row', actual });
}

/** Objects with the inputs by name; or, where there is only one input, its values. */
function fromRows(rows: readonly unknown[], specs: readonly TensorSpec[]): readonly Tensor[] {
  const [only] = specs;
  for (const { name, shape } of specs) {
    if (shape.length === 0)
      throw new ShapeMismatch(`instances (input "${name}")`, 'a single value, which {"inputs": …} can tell', `${rows.length} rows`);
  }
  if (only !== undefined && specs.length === 1 && !isNamed(rows[0])) {
    return [nestedTensor(only, rows, (trail) => `instances${indices(trail)} (input "${only.name}")`, strictSink)];
  }
  refuseOtherNames(rows, specs);
  return specs.map((spec) => {
    const place: Place = ([row, ...inner]) => `instances${row === undefined ? '' : `[${row}]`}.${spec.name}${indices(inner)}`;
    return nestedTensor(spec, valuesOf(rows, spec.name), place, strictSink);
  });
}

function valuesOf(rows: readonly unknown[], name: string): readonly unknown[] {
  return rows.map((row) => (row as Record<string, unknown>)[name]);
}

/** Every row must have exactly the inputs of the model. */
function refuseOtherNames(rows: readonly unknown[], specs: readonly TensorSpec[]): void {
  const names = specs.map(({ name }) => name);
  const expected = `an object with exactly ${names.join(', ')}`;
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at];
    if (!isNamed(row)) throw new InvalidValue(`instances[${at}]`, expected, row);
    const given = Object.keys(row);
    if (given.length === names.length && names.every((name) => Object.hasOwn(row, name))) continue;
    const missing = names.find((name) => !Object.hasOwn(row, name));
    const field = `instances[${at}].${missing ?? given.find((name) => !names.includes(name))?.slice(0, 80)}`;
    const message = `${field} is ${missing === undefined ? 'no input of the model' : 'missing'}`;
    throw new MalformedBody(message, { field, expected, actual: listed(given) });
  }
}

/** An object with the inputs by name, and perhaps with more; or, where there is only one input, its value. */
function fromColumns(value: unknown, specs: readonly TensorSpec[]): readonly Tensor[] {
  const [only] = specs;
  if (only !== undefined && specs.length === 1 && !isNamed(value)) {
    return [nestedTensor(only, value, (trail) => `inputs${indices(trail)} (input "${only.name}")`, strictSink)];
  }
  const expected = `an object with ${specs.map(({ name }) => name).join(', ')}`;
  if (!isNamed(value)) throw new InvalidValue('inputs', expected, value);
  return specs.map((spec) => {
    const { name } = spec;
    if (!Object.hasOwn(value, name)) {
      const details = { field: `inputs.${name}`, expected, actual: listed(Object.keys(value)) };
      throw new MalformedBody(`Missing named input: ${name} in 'inputs' object`, details);
    }
    return nestedTensor(spec, (value as Record<string, unknown>)[name], (trail) => `inputs.${name}${indices(trail)}`, strictSink);
  });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNamed(value: unknown): value is object {
  return isObject(value) && !isBase64(value);
}

function indices(trail: readonly number[]): string {
  return trail.map((index) => `[${index}]`).join('');
}

function listed(names: readonly string[]): string {
  return names.slice(0, 5).map((name) => name.slice(0, 80)).join(', ') || 'none'; // prettier-ignore
}
