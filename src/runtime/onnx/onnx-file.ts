import type { ImportReport } from '../model-runtime.port';
import { type OnnxFacts, walkOnnx } from '../walk/onnx-walk';
import { cutZipMap } from '../walk/zip-map';

/** A model file, walked through and made ready for the engine. */
export interface OnnxFile {
  readonly bytes: Uint8Array;
  readonly facts: OnnxFacts;
  readonly options: ImportReport['options'];
  readonly labels?: NonNullable<ImportReport['labels']>;
}

/** Walks through a file before an engine sees it, and cuts off what the engine cannot return. @throws OnnxRefused */
export function openOnnx(file: Uint8Array): OnnxFile {
  const { bytes, labels } = cutZipMap(file);
  const facts = walkOnnx(bytes);
  return { bytes, facts, options: labels === undefined ? {} : { zipMap: 'cut off' }, ...(labels !== undefined && { labels }) };
}
