import { Refuses } from '../../errors/refuses.decorator';
import { DatatypeMismatch, InputsMismatch, OutputUnknown, ShapeMismatch } from '../../inference/inference.errors';
import { AliasNotFound, InvalidName, ModelNotFound, NoProductionVersion, VersionNotFound } from '../../models/models.errors';
import { InvalidValue } from '../../runtime/runtime.errors';
import { MalformedBody, MalformedEncoding, UnsupportedMediaType } from '../../wire/wire.errors';
import { SERVING_REFUSALS } from '../serving-refusals';
import { BinaryMalformed, DataContradictsShape, DatatypeUnknown, NoJsonForm, NotClassifiable } from './open-inference.errors';

/** What an inference request may be answered with instead of a result. */
export const RefusesInfer = Refuses(
  ...SERVING_REFUSALS,
  new InvalidName('model', 'a name', 'Iris!'),
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
  new InputsMismatch(['features'], ['x']),
  new DatatypeMismatch('features', 'FP32', 'FP64'),
  new ShapeMismatch('features', '[-1, 4]', '[1, 5]'),
  new InvalidValue('features.data[0]', 'a number', 'wide'),
  new OutputUnknown(['label', 'probabilities'], 'y'),
  new NotClassifiable('names', 'an output of numbers, but FP16', 'BYTES'),
  new ModelNotFound('iris'),
  new NoProductionVersion('iris', [1]),
  new VersionNotFound('iris', 9, [1]),
  new AliasNotFound('iris', 'champion', []),
  new UnsupportedMediaType('Content-Encoding', 'gzip, deflate or absent', 'br'),
);
