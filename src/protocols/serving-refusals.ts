import type { AppError } from '../errors/app-error';
import { NonFiniteOutput, TooManyCalls } from '../inference/inference.errors';
import { ModelMemoryExceeded, ModelUnavailable } from '../models/models.errors';
import {
  CallExpired,
  EngineCrashed,
  EngineDeadlineExceeded,
  InferenceFailed,
  ModelQuarantined,
  NumberNotRepresentable,
  TextNotRepresentable,
} from '../runtime/runtime.errors';
import { BodyTooLarge, MalformedJson } from '../wire/wire.errors';

/** What a prediction may be answered with instead of a result, whatever dialect it is asked in: an example of each. */
export const SERVING_REFUSALS: readonly AppError[] = [
  new MalformedJson('Unexpected end of JSON input'),
  new BodyTooLarge(8_388_608),
  new NumberNotRepresentable('x[0]', 'a number that FP32 can hold', Number.POSITIVE_INFINITY),
  new TextNotRepresentable('names[0]', 'a text without NUL'),
  new NonFiniteOutput('y'),
  new InferenceFailed('index out of bounds'),
  new TooManyCalls('of "iris"', '256 calls at a time', 2),
  new ModelUnavailable('iris', 1, 'The stored file of the model is not what was uploaded'),
  new ModelMemoryExceeded('iris', 1, 2 ** 30, 2 ** 29),
  new ModelQuarantined(4),
  new EngineCrashed('SIGSEGV'),
  new EngineDeadlineExceeded(10_000),
  new CallExpired(),
];
