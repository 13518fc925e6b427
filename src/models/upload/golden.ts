import { IsNumber, IsObject, Max, Min } from 'class-validator';
import { fromHalf } from '../../runtime/half';
import type { ImportReport, Trial } from '../../runtime/model-runtime.port';
import { tensorFromJson } from '../../runtime/tensor-json';
import type { Signature, Tensor, TensorSpec } from '../../runtime/tensor';
import { MayBeAbsent } from '../../wire/may-be-absent.decorator';
import { GoldenMismatch, MetadataMismatch } from './upload.errors';

/** The last bits of FP32 differ from one processor to the next. */
const TOLERANCE = 1e-4;

/** Inputs and the outputs that the model must give for them, each a tensor as arrays in arrays, by name. */
export class GoldenRow {
  @IsObject()
  readonly inputs!: Readonly<Record<string, unknown>>;

  /** Some outputs or all of them. */
  @IsObject()
  readonly outputs!: Readonly<Record<string, unknown>>;

  /** How far a floating-point number b may be off: this much times max(1, |b|). Whole numbers, truth values and texts must be equal. */
  @MayBeAbsent()
  @IsNumber()
  @Min(0)
  @Max(1)
  readonly tolerance?: number;
}

/** What a model has to be run on, for its golden rows to be compared. @throws MetadataMismatch, InvalidValue, NumberNotRepresentable */
export function goldenTrials(golden: readonly GoldenRow[], { inputs, outputs }: Signature): readonly Trial[] {
  return golden.map((row, at) => {
    const field = `metadata.golden[${at}]`;
    const missing = inputs.find(({ name }) => !Object.hasOwn(row.inputs, name));
    if (missing !== undefined) throw mismatch(`${field}.inputs.${missing.name}`, 'a value for each input', 'missing');
    refuseUnknown(row.inputs, inputs, `${field}.inputs`);
    refuseUnknown(row.outputs, outputs, `${field}.outputs`);
    return inputs.map((spec) => tensorFromJson(spec, row.inputs[spec.name], `${field}.inputs.${spec.name}`));
  });
}

/** @param trials what the model gave for `goldenTrials` @throws GoldenMismatch for the first number that is off, InvalidValue */
export function refuseDeviation(golden: readonly GoldenRow[], trials: ImportReport['trials']): void {
  for (const [at, { outputs, tolerance = TOLERANCE }] of golden.entries()) {
    const field = `metadata.golden[${at}]`;
    const given = trials[at];
    if (given === undefined || 'reason' in given) throw new GoldenMismatch(field, 'outputs', given?.reason ?? 'none');
    for (const [name, value] of Object.entries(outputs)) compare(given.find((tensor) => tensor.name === name) as Tensor, value, `${field}.outputs.${name}`, tolerance); // prettier-ignore
  }
}

/** The shape that the model gave is the one that is wanted: what is declared of outputs is often wrong. */
function compare(actual: Tensor, value: unknown, field: string, tolerance: number): void {
  const wanted = tensorFromJson(actual, value, field);
  for (let index = 0; index < wanted.data.length; index++) {
    const [a, b] = [actual, wanted].map((tensor) => elementOf(tensor, index)) as [unknown, unknown];
    const close = typeof a === 'number' && typeof b === 'number' && Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b));
    const exact = !['FP16', 'FP32', 'FP64'].includes(actual.datatype);
    if (exact ? a !== b : !close) throw new GoldenMismatch(field + placeOf(index, actual.shape), String(b), String(a));
  }
}

function elementOf({ datatype, data }: Tensor, index: number): unknown {
  return datatype === 'FP16' ? fromHalf(data[index] as number) : data[index];
}

/** `[2][0]` for element 4 of a [3, 2]. */
function placeOf(index: number, shape: readonly number[]): string {
  let rest = index;
  const places = shape.toReversed().map((length) => {
    const place = rest % length;
    rest = Math.floor(rest / length);
    return `[${place}]`;
  });
  return places.toReversed().join('');
}

function refuseUnknown(values: Readonly<Record<string, unknown>>, specs: readonly TensorSpec[], field: string): void {
  const unknown = Object.keys(values).find((name) => !specs.some((spec) => spec.name === name));
  if (unknown !== undefined) throw mismatch(`${field}.${unknown}`, `one of ${specs.map(({ name }) => name).join(', ')}`, unknown);
}

function mismatch(field: string, expected: string, actual: string): MetadataMismatch {
  return new MetadataMismatch({ field, expected, actual });
}
