import type { AppError } from '../../errors/app-error';
import { ShapeMismatch } from '../../inference/inference.errors';
import { InvalidValue } from '../../runtime/runtime.errors';
import { MalformedBody, MalformedEncoding, UnsupportedMediaType } from '../../wire/wire.errors';
import { RaggedRows } from '../protocols.errors';
import { SERVING_REFUSALS } from '../serving-refusals';
import { BatchInconsistent, DatatypeWithoutJson, SignatureUnknown } from './tensorflow-serving.errors';

/** What a prediction may answer instead, whatever version is asked: an example of each. */
export const PREDICT_REFUSALS: readonly AppError[] = [
  ...SERVING_REFUSALS,
  new MalformedEncoding('gzip'),
  new MalformedBody("Missing 'inputs' or 'instances' key", {
    field: 'body',
    expected: '"instances" or "inputs"',
    actual: 'neither',
  }),
  new SignatureUnknown('classify'),
  new RaggedRows('instances[1] (input "features")', '3 values', '2 values'),
  new UnsupportedMediaType('Content-Encoding', 'gzip, deflate or absent', 'br'),
  new InvalidValue('instances[0][3] (input "features")', 'a number', 'wide'),
  new ShapeMismatch('instances[0] (input "features")', '4 values', '5 values'),
  new BatchInconsistent('summary', 2, [1]),
  new DatatypeWithoutJson('input', 'features', 'FP16'),
];
