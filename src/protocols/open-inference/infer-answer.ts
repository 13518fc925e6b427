import type { InferenceResult } from '../../inference/inference-call';
import type { VersionRecord } from '../../models/registry/registry-records';
import type { Tensor } from '../../runtime/tensor';
import type { DialectAnswer } from '../dialect';
import { countNonFinite, refuseNonFinite } from '../../inference/non-finite';
import { flatText } from '../tensor-text';
import { bytesFromData } from './binary-tensors';
import { JSON_LENGTH_HEADER } from './body-parts';
import { classified } from './classification';
import type { InferRequest } from './infer-request';
import type { OutputForm } from './requested-outputs';

const ELEMENTS: OutputForm = { binary: false, classes: 0 };

/** Answers a request as it asked for it. @throws NonFiniteOutput where the metadata says `nonFinite: reject`, NotClassifiable */
export function encodeAnswer(
  { id, forms }: InferRequest,
  { outputs }: Pick<InferenceResult, 'outputs'>,
  version: VersionRecord,
): DialectAnswer {
  refuseNonFinite(outputs, version);
  const told = outputs.map((output) => tell(output, forms.get(output.name) ?? ELEMENTS, version));
  const head = id === undefined ? '' : `"id":${JSON.stringify(id)},`;
  const about = `"model_name":"${version.model}","model_version":"${version.version}"`;
  const json = `{${head}${about},"outputs":[${told.map(({ text }) => text).join(',')}]}`;
  const blocks = told.flatMap(({ bytes }) => (bytes === undefined || bytes.length === 0 ? [] : [bytes]));
  const nonFinite = told.reduce((sum, each) => sum + each.nonFinite, 0);
  if (blocks.length === 0) return { body: json, contentType: 'application/json', nonFinite };
  const bytes = Buffer.from(json);
  return {
    body: Buffer.concat([bytes, ...blocks]),
    contentType: 'application/octet-stream',
    nonFinite,
    headers: { [JSON_LENGTH_HEADER]: String(bytes.length) },
  };
}

interface ToldOutput {
  readonly text: string;
  readonly bytes?: Buffer;
  readonly nonFinite: number;
}

function tell(output: Tensor, { binary, classes }: OutputForm, version: VersionRecord): ToldOutput {
  const tensor = classes > 0 ? classified(output, classes, version) : output;
  const { name, datatype, shape } = tensor;
  const head = `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(',')}]`;
  if (!binary) return { text: `${head},"data":${flatText(tensor)}}`, nonFinite: countNonFinite(tensor) };
  const bytes = bytesFromData(tensor);
  return { text: `${head},"parameters":{"binary_data_size":${bytes.length}}}`, bytes, nonFinite: 0 };
}
