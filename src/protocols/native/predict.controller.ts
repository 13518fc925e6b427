import { Controller, HttpCode, Post, Req } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { Scope } from '../../auth/scope.decorator';
import { Refuses } from '../../errors/refuses.decorator';
import { ShapeMismatch } from '../../inference/inference.errors';
import { AliasNotFound, InvalidName, ModelNotFound, NoProductionVersion, VersionNotFound } from '../../models/models.errors';
import { InvalidValue } from '../../runtime/runtime.errors';
import { MalformedBody, UnsupportedMediaType } from '../../wire/wire.errors';
import { ApiCacheControl } from '../cache-control';
import { ApiDeadline } from '../deadline';
import { RaggedRows } from '../protocols.errors';
import { SERVING_REFUSALS } from '../serving-refusals';
import { NativeCodec } from './native-codec';
import { FeatureNamesMissing, MissingFeature, RowsNotSeparable, UnknownFeature } from './native.errors';

const FEATURES = { sepal_length_cm: 5.1, sepal_width_cm: 3.5, petal_length_cm: 1.4, petal_width_cm: 0.2 };
const PREDICTION = { prediction: 'setosa', confidence: 0.98, probabilities: { setosa: 0.98, versicolor: 0.02, virginica: 0 } };
const ABOUT = { timestamp: '2026-11-22T12:00:00.000Z', model: 'iris', model_version: 1 };

@ApiTags('predictions')
@Controller('api/v1/predict')
export class PredictController {
  constructor(private readonly codec: NativeCodec) {}

  @Post(':model')
  @Scope('predict')
  @HttpCode(200)
  @ApiDeadline
  @ApiCacheControl
  @ApiOperation({ summary: 'Predict', description: 'One row as `features`, several as an array of `features` or as `instances`.' })
  @ApiParam({ name: 'model', type: String, example: 'iris' })
  @ApiQuery({ name: 'version', required: false, type: Number, description: 'This version; default the one in production' })
  @ApiQuery({ name: 'alias', required: false, type: String, description: 'The version that this alias points at' })
  @ApiBody({
    schema: { type: 'object' },
    examples: {
      one: { summary: 'one row', value: { features: FEATURES } },
      several: { summary: 'several rows', value: { features: [FEATURES, FEATURES] } },
      instances: { summary: 'rows without names', value: { instances: [Object.values(FEATURES)] } },
    },
  })
  @ApiOkResponse({
    description: 'The answer, in the form of the question',
    content: {
      'application/json': {
        schema: { type: 'object' },
        examples: { one: { value: { ...PREDICTION, ...ABOUT } }, several: { value: { predictions: [PREDICTION], ...ABOUT } } },
      },
    },
  })
  @Refuses(
    ...SERVING_REFUSALS,
    new InvalidName('model', 'a name', 'Iris!'),
    new MalformedBody('The body must have features or instances, and nothing else', {
      field: 'body',
      expected: 'one member',
      actual: 'none',
    }),
    new RaggedRows('instances[1]', '3 values', '2 values'),
    new ModelNotFound('iris'),
    new NoProductionVersion('iris', [1]),
    new VersionNotFound('iris', 9, [1]),
    new AliasNotFound('iris', 'champion', []),
    new UnsupportedMediaType('Content-Type', 'application/json', 'text/plain'),
    new MissingFeature('features.petal_width_cm', 'a value'),
    new UnknownFeature('features.colour', Object.keys(FEATURES)),
    new FeatureNamesMissing('features', 4),
    new InvalidValue('features.petal_width_cm', 'a number', 'wide'),
    new ShapeMismatch('instances[0]', '4 values', '5 values'),
    new RowsNotSeparable('summary', 2),
  )
  predict(@Req() request: Request): Promise<string | Buffer> {
    return this.codec.answer(request);
  }
}
