import type { AppError } from '../../errors/app-error';
import { NonFiniteOutput, ShapeMismatch, TooManyCalls } from '../../inference/inference.errors';
import { ModelMemoryExceeded, ModelUnavailable } from '../../models/models.errors';
import {
  CallExpired,
  EngineCrashed,
  EngineDeadlineExceeded,
  InferenceFailed,
  InvalidValue,
  ModelQuarantined,
  NumberNotRepresentable,
  TextNotRepresentable,
} from '../../runtime/runtime.errors';
import { BodyTooLarge, MalformedBody, MalformedEncoding, MalformedJson, UnsupportedMediaType } from '../../wire/wire.errors';
import { RaggedRows } from '../protocols.errors';
import { BatchInconsistent, DatatypeWithoutJson, SignatureUnknown } from './tensorflow-serving.errors';

/** What a prediction may answer instead, whatever version is asked: an example of each. */
export const PREDICT_REFUSALS: readonly AppError[] = [
  new MalformedJson('Unexpected end of JSON input'),
  new MalformedEncoding('gzip'),
  new MalformedBody("Missing 'inputs' or 'instances' key", {
    field: 'body',
    expected: '"instances" or "inputs"',
    actual: 'neither',
  }),
  new SignatureUnknown('classify'),
  new NumberNotRepresentable('instances[0][3] (input "features")', 'a number that FP32 can hold', Number.POSITIVE_INFINITY),
  new RaggedRows('instances[1] (input "features")', '3 values', '2 values'),
  new BodyTooLarge(8_388_608),
  new UnsupportedMediaType('Content-Encoding', 'gzip, deflate or absent', 'br'),
  new InvalidValue('instances[0][3] (input "features")', 'a number', 'wide'),
  new ShapeMismatch('instances[0] (input "features")', '4 values', '5 values'),
  new BatchInconsistent('summary', 2, [1]),
  new DatatypeWithoutJson('input', 'features', 'FP16'),
  new TextNotRepresentable('instances[0] (input "features").b64', 'base64 of UTF-8'),
  new NonFiniteOutput('probabilities'),
  new InferenceFailed('index out of bounds'),
  new TooManyCalls('of "iris"', 256),
  new ModelUnavailable('iris', 1, 'The stored file of the model is not what was uploaded'),
  new ModelMemoryExceeded('iris', 1, 2 ** 30, 2 ** 29),
  new ModelQuarantined(4),
  new EngineCrashed('SIGSEGV'),
  new EngineDeadlineExceeded(10_000),
  new CallExpired(),
];
