import { Refuses } from '../../errors/refuses.decorator';
import {
  DatatypeMismatch,
  InputsMismatch,
  NonFiniteOutput,
  OutputUnknown,
  ShapeMismatch,
  TooManyCalls,
} from '../../inference/inference.errors';
import {
  AliasNotFound,
  InvalidName,
  ModelMemoryExceeded,
  ModelNotFound,
  ModelUnavailable,
  NoProductionVersion,
  VersionNotFound,
} from '../../models/models.errors';
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
import { BinaryMalformed, DataContradictsShape, DatatypeUnknown, NoJsonForm, NotClassifiable } from './open-inference.errors';

/** What an inference request may be answered with instead of a result. */
export const RefusesInfer = Refuses(
  new InvalidName('model', 'a name', 'Iris!'),
  new MalformedJson('Unexpected end of JSON input'),
  new MalformedEncoding('gzip'),
  new MalformedBody('inputs must be an array', { field: 'inputs', expected: 'an array', actual: 'missing' }),
  new BinaryMalformed('Unexpected additional input data for the model "iris"', {
    field: 'body',
    expected: '16 bytes after the JSON',
    actual: '20 bytes',
  }),
  new DataContradictsShape('features.data', '4 elements for [1, 4]', '3 elements'),
  new DatatypeUnknown('features', 'BF16'),
  new NoJsonForm('features', 'FP16', 'its bytes behind the JSON, and parameters.binary_data_size'),
  new NumberNotRepresentable('features.data[0]', 'a number that FP32 can hold', Number.POSITIVE_INFINITY),
  new InputsMismatch(['features'], ['x']),
  new DatatypeMismatch('features', 'FP32', 'FP64'),
  new ShapeMismatch('features', '[-1, 4]', '[1, 5]'),
  new InvalidValue('features.data[0]', 'a number', 'wide'),
  new OutputUnknown(['label', 'probabilities'], 'y'),
  new NotClassifiable('names', 'an output of numbers, but FP16', 'BYTES'),
  new InferenceFailed('index out of bounds'),
  new ModelNotFound('iris'),
  new NoProductionVersion('iris', [1]),
  new VersionNotFound('iris', 9, [1]),
  new AliasNotFound('iris', 'champion', []),
  new BodyTooLarge(8_388_608),
  new UnsupportedMediaType('Content-Encoding', 'gzip, deflate or absent', 'br'),
  new NonFiniteOutput('y'),
  new TextNotRepresentable('names.data[0]', 'a text without NUL'),
  new TooManyCalls('of "iris"', 256),
  new ModelUnavailable('iris', 1, 'The stored file of the model is not what was uploaded'),
  new ModelMemoryExceeded('iris', 1, 2 ** 30, 2 ** 29),
  new ModelQuarantined(4),
  new EngineCrashed('SIGSEGV'),
  new EngineDeadlineExceeded(10_000),
  new CallExpired(),
);
