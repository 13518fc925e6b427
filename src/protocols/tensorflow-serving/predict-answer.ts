import type { InferenceResult } from '../../inference/inference-call';
import type { VersionRecord } from '../../models/registry/registry-records';
import type { Tensor } from '../../runtime/tensor';
import type { DialectAnswer } from '../dialect';
import { countNonFinite, refuseNonFinite } from '../../inference/non-finite';
import { nestedText, rowTexts, type TextStyle } from '../tensor-text';
import { BatchInconsistent } from './tensorflow-serving.errors';

/**
 * Answers in the form of the question: `{"predictions": …}` row by row, `{"outputs": …}` output by output.
 * @param rows that were asked for; `undefined`: it was asked input by input
 * @throws BatchInconsistent, NonFiniteOutput where the metadata says `nonFinite: reject`
 */
export function encodePredict(
  rows: number | undefined,
  { outputs }: Pick<InferenceResult, 'outputs'>,
  version: Pick<VersionRecord, 'manifest'>,
): DialectAnswer {
  refuseNonFinite(outputs, version as VersionRecord);
  const nonFinite = outputs.reduce((sum, output) => sum + countNonFinite(output), 0);
  const body = rows === undefined ? `{"outputs":${columnsText(outputs)}}` : `{"predictions":${rowsText(outputs, rows)}}`;
  return { body, contentType: 'application/json', nonFinite };
}

function columnsText(outputs: readonly Tensor[]): string {
  const [only] = outputs;
  if (only !== undefined && outputs.length === 1) return nestedText(only, styleOf(only));
  return `{${outputs.map((output) => `${JSON.stringify(output.name)}:${nestedText(output, styleOf(output))}`).join(',')}}`;
}

function rowsText(outputs: readonly Tensor[], rows: number): string {
  const split = outputs.find(({ shape }) => shape[0] !== rows);
  if (split !== undefined) throw new BatchInconsistent(split.name, rows, split.shape);
  const [only] = outputs;
  if (only !== undefined && outputs.length === 1) return nestedText(only, styleOf(only));
  const columns = outputs.map((output) => ({ name: JSON.stringify(output.name), texts: rowTexts(output, styleOf(output)) }));
  const row = (at: number): string => `{${columns.map(({ name, texts }) => `${name}:${texts[at]}`).join(',')}}`;
  return `[${Array.from({ length: rows }, (_, at) => row(at)).join(',')}]`;
}

/** Texts of an output whose name ends so may be anything, not only text: they come as base64. */
function styleOf({ name }: Tensor): TextStyle {
  return { floatPoint: true, base64: name.endsWith('_bytes') };
}
