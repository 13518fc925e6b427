import 'reflect-metadata';
import { ArrayMaxSize, IsArray, IsBoolean, IsIn, IsInt, IsNotEmpty, IsString, Max, MaxLength, Min, ValidateNested } from 'class-validator';
import { Type } from 'class-transformer';
import type { Signature, TensorSpec } from '../../runtime/tensor';
import { MayBeAbsent } from '../../wire/may-be-absent.decorator';
import { GoldenRow } from './golden';
import { AllDifferent, CacheSettings, type FeatureBaseline, IsBaseline } from './metadata-parts';
import { MetadataMismatch } from './upload.errors';

/** What an uploader says about a model. Every member is optional, any other is refused. */
export class ModelMetadata {
  @MayBeAbsent()
  @IsString()
  @MaxLength(4096)
  readonly description?: string;

  @MayBeAbsent()
  @IsArray()
  @ArrayMaxSize(32)
  @IsString({ each: true })
  @MaxLength(64, { each: true })
  readonly tags?: readonly string[];

  @MayBeAbsent()
  @IsIn(['classification', 'regression', 'other'])
  readonly task?: 'classification' | 'regression' | 'other';

  /** Names of the columns of the one input, in the model's order. */
  @MayBeAbsent()
  @IsArray()
  @ArrayMaxSize(100_000)
  @AllDifferent()
  @IsString({ each: true })
  @IsNotEmpty({ each: true })
  readonly featureNames?: readonly string[];

  /** Names of the classes, in the order of the columns of the probabilities. */
  @MayBeAbsent()
  @IsArray()
  @ArrayMaxSize(100_000)
  @AllDifferent()
  @IsString({ each: true })
  @IsNotEmpty({ each: true })
  readonly labels?: readonly string[];

  /** Which output holds the probabilities. */
  @MayBeAbsent()
  @IsString()
  @IsNotEmpty()
  readonly probabilityOutput?: string;

  /** What becomes of NaN and infinity in an output: `null` in JSON, or the call is refused. */
  @MayBeAbsent()
  @IsIn(['null', 'reject'])
  readonly nonFinite?: 'null' | 'reject';

  /** What the model must answer: tried at the upload. */
  @MayBeAbsent()
  @IsArray()
  @ArrayMaxSize(100)
  @ValidateNested({ each: true })
  @Type(() => GoldenRow)
  readonly golden?: readonly GoldenRow[];

  /** Whether the version in production stays in memory whatever other models need. */
  @MayBeAbsent()
  @IsBoolean()
  readonly pinned?: boolean;

  /** How long one run may take, milliseconds. */
  @MayBeAbsent()
  @IsInt()
  @Min(1)
  @Max(3_600_000)
  readonly deadlineMs?: number;

  /** Whether answers may be kept, and how long. */
  @MayBeAbsent()
  @ValidateNested()
  @Type(() => CacheSettings)
  readonly cache?: CacheSettings;

  /** Whether calls may be run together: `exact`: only where a row gets the same bits then as alone. */
  @MayBeAbsent()
  @IsIn(['auto', 'exact', 'off'])
  readonly batching?: 'auto' | 'exact' | 'off';

  /** How long a call may wait for others to be run with it, microseconds. */
  @MayBeAbsent()
  @IsInt()
  @Min(0)
  @Max(1_000_000)
  readonly maxDelayMicros?: number;

  /** `always`: never in the server's own process. */
  @MayBeAbsent()
  @IsIn(['auto', 'always'])
  readonly isolation?: 'auto' | 'always';

  /** Which engine the model file must be for; `auto`: for whichever it is. */
  @MayBeAbsent()
  @IsIn(['auto', 'onnx', 'tfjs'])
  readonly engine?: 'auto' | 'onnx' | 'tfjs';

  /** How each feature was distributed when the model was trained, by its name. */
  @MayBeAbsent()
  @IsBaseline()
  readonly baseline?: Readonly<Record<string, FeatureBaseline>>;

  /** `off`: nobody looks at the inputs of its predictions. */
  @MayBeAbsent()
  @IsIn(['on', 'off'])
  readonly drift?: 'on' | 'off';
}

/** Checks what the metadata says against what the model has. @throws MetadataMismatch */
export function refuseMismatch(metadata: ModelMetadata, signature: Signature): void {
  const { featureNames, labels, probabilityOutput, baseline = {} } = metadata;
  const stranger = Object.keys(baseline).find((name) => !featureNames?.includes(name));
  if (stranger !== undefined) throw mismatch('metadata.baseline', 'only names that featureNames has', stranger.slice(0, 80));
  if (featureNames !== undefined) refuseFeatures(featureNames, signature.inputs);
  if (probabilityOutput !== undefined) refuseOutput(probabilityOutput, signature.outputs);
  const probabilities = probabilitiesOf(metadata, signature);
  const columns = probabilities?.shape.at(-1);
  if (labels === undefined || columns === undefined || columns === -1 || columns === labels.length) return;
  if (columns === 1 && labels.length === 2) return;
  throw mismatch(
    'metadata.labels',
    `${columns} labels, one for each column of the output "${probabilities?.name}"`,
    `${labels.length} labels`,
  );
}

/**
 * The output that holds a probability for each class: the named one; else, unless the task says that there is none, the first
 * floating-point matrix of a declared classifier, or beside a column of labels (there a lone column is a score, not a probability).
 */
export function probabilitiesOf({ probabilityOutput, task, labels }: ModelMetadata, { outputs }: Signature): TensorSpec | undefined {
  if (probabilityOutput !== undefined) return outputs.find(({ name }) => name === probabilityOutput);
  if (task !== undefined && task !== 'classification') return undefined;
  const declared = task === 'classification' || labels !== undefined;
  if (!declared && labelOutputOf(outputs) === undefined) return undefined;
  return outputs.find((output) => isFloating(output) && output.shape.length === 2 && (declared || output.shape[1] !== 1));
}

/** The output that holds one class a row: whole numbers or texts, one column. */
export function labelOutputOf(outputs: readonly TensorSpec[]): TensorSpec | undefined {
  const oneColumn = (shape: readonly number[]): boolean => shape.length === 1 || (shape.length === 2 && shape[1] === 1);
  return outputs.find(({ datatype, shape }) => (datatype === 'INT64' || datatype === 'BYTES') && oneColumn(shape));
}

function isFloating({ datatype }: TensorSpec): boolean {
  return datatype === 'FP16' || datatype === 'FP32' || datatype === 'FP64';
}

function refuseFeatures(names: readonly string[], inputs: readonly TensorSpec[]): void {
  const [only] = inputs;
  const columns = inputs.length === 1 && only?.shape.length === 2 ? only.shape[1] : undefined;
  if (columns === -1 || columns === names.length) return;
  const expected =
    columns === undefined
      ? 'none: the model does not take one matrix of features'
      : `${columns} names, as the input "${only?.name}" has columns`;
  throw mismatch('metadata.featureNames', expected, `${names.length} names`);
}

function refuseOutput(name: string, outputs: readonly TensorSpec[]): void {
  const usable = outputs.filter((output) => isFloating(output) && (output.shape.length === 1 || output.shape.length === 2));
  if (usable.some((output) => output.name === name)) return;
  const expected =
    usable.length === 0 ? 'none: no output holds a row of probabilities' : `one of ${usable.map((output) => output.name).join(', ')}`;
  throw mismatch('metadata.probabilityOutput', expected, name);
}

function mismatch(field: string, expected: string, actual: string): MetadataMismatch {
  return new MetadataMismatch({ field, expected, actual });
}
