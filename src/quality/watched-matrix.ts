import type { VersionRecord } from '../models/registry/registry-records';
import type { Datatype, Tensor } from '../runtime/tensor';

/** More columns of one version are not watched. */
export const MOST_FEATURES = 256;

/** Of a call with many rows only so many are looked at: with more than 64 columns fewer. */
export const MOST_ROWS_OF_CALL = 16;

const MOST_VALUES_OF_CALL = 1024;

const WATCHED: ReadonlySet<Datatype> = new Set([
  ...(['UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64'] as const),
  ...(['FP32', 'FP64'] as const),
]);

/** The one matrix of numbers that a version takes. */
export interface FeatureMatrix {
  readonly datatype: Datatype;
  /** How many columns there are. */
  readonly width: number;
  /** Of all columns in the model's order, where they have any. */
  readonly names: readonly string[] | undefined;
}

/** A column that is looked at. */
export interface WatchedColumn {
  /** Its name, or its number where it has none. */
  readonly feature: string;
  readonly at: number;
}

/** @returns undefined where a version takes anything else than one matrix of numbers, as wide as it says */
export function matrixOf({ signature, manifest }: Pick<VersionRecord, 'signature' | 'manifest'>): FeatureMatrix | undefined {
  const [only, ...more] = signature.inputs;
  if (only === undefined || more.length > 0 || only.shape.length !== 2 || !WATCHED.has(only.datatype)) return undefined;
  const width = only.shape[1] as number;
  return width < 1 ? undefined : { datatype: only.datatype, width, names: manifest.metadata.featureNames };
}

/** The columns that the baseline of the metadata names, else all of them; the first where there are too many. */
export function watchedColumns({ width, names }: FeatureMatrix, baseline: object | undefined): readonly WatchedColumn[] {
  const columns = Array.from({ length: width }, (_, at) => ({ feature: names?.[at] ?? String(at), at }));
  return columns.filter(({ feature }) => baseline === undefined || Object.hasOwn(baseline, feature)).slice(0, MOST_FEATURES);
}

/** A number as the matrix can hold it: edges and values must be rounded alike. */
export function roundedAs(datatype: Datatype, value: number): number {
  return datatype === 'FP32' ? Math.fround(value) : value;
}

/**
 * Calls back for the watched values of some rows, evenly apart where there are too many.
 * @param row is filled anew for each of them
 * @param start of the first row where some are left out, 0 to 1
 */
export function eachRow(
  { data, shape }: Tensor,
  columns: readonly WatchedColumn[],
  row: Float64Array,
  look: (row: Float64Array) => void,
  start = Math.random(),
): void {
  const [rows = 0, width = 0] = shape;
  const most = Math.min(MOST_ROWS_OF_CALL, Math.floor(MOST_VALUES_OF_CALL / columns.length));
  const step = Math.max(1, rows / most);
  for (let at = step > 1 ? start * step : 0; at < rows; at += step) {
    const from = Math.floor(at) * width;
    for (let place = 0; place < columns.length; place++) row[place] = Number(data[from + (columns[place] as WatchedColumn).at]);
    look(row);
  }
}
