import type { ImportReport } from '../model-runtime.port';
import { OnnxRefused } from '../walk/onnx-refused';
import { type OnnxFacts, walkOnnx } from '../walk/onnx-walk';
import { cutZipMap } from '../walk/zip-map';

/** A model file, walked through and made ready for the engine. */
export interface OnnxFile {
  readonly bytes: Uint8Array;
  readonly facts: OnnxFacts;
  readonly options: ImportReport['options'];
  readonly labels?: NonNullable<ImportReport['labels']>;
}

/** TensorProto.DataType (onnx.proto) that are not served, by number; what is not here is served, or refused by the walk. */
const UNSERVED: Readonly<Record<number, string>> = {
  14: 'COMPLEX64',
  15: 'COMPLEX128',
  16: 'BFLOAT16',
  17: 'FLOAT8E4M3FN',
  18: 'FLOAT8E4M3FNUZ',
  19: 'FLOAT8E5M2',
  20: 'FLOAT8E5M2FNUZ',
  21: 'UINT4',
  22: 'INT4',
  23: 'FLOAT4E2M1',
  24: 'FLOAT8E8M0',
  25: 'UINT2',
  26: 'INT2',
};

/** Walks through a file before an engine sees it, and cuts off what the engine cannot return. @throws OnnxRefused */
export function openOnnx(file: Uint8Array): OnnxFile {
  const { bytes, labels } = cutZipMap(file);
  const facts = walkOnnx(bytes);
  for (const { name, elemType } of [...facts.inputs, ...facts.outputs]) {
    const datatype = UNSERVED[elemType];
    if (datatype !== undefined)
      throw new OnnxRefused(`"${name}" has the datatype ${datatype}, which is not served: cast it to FLOAT in the model`);
  }
  return { bytes, facts, options: labels === undefined ? {} : { zipMap: 'cut off' }, ...(labels !== undefined && { labels }) };
}
