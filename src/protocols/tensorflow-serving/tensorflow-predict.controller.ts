import { applyDecorators, Controller, HttpCode, Post, Req } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { Scope } from '../../auth/scope.decorator';
import { Refuses } from '../../errors/refuses.decorator';
import { ApiCacheControl } from '../cache-control';
import { ApiDeadline } from '../deadline';
import { LABEL, LABEL_UNKNOWN, MODEL, MODEL_UNKNOWN, NOTHING_IN_PRODUCTION, VERSION, VERSION_UNKNOWN } from './path-parameters';
import { PREDICT_REFUSALS } from './predict-refusals';
import { TensorflowCodec } from './tensorflow-codec';

const ROW = [5.1, 3.5, 1.4, 0.2];
const ABOUT =
  'Row by row as `instances`, or input by input as `inputs`. Texts may come as `{"b64": …}`; whole numbers may be written as `1.0`; `null` is NaN.';
const BODY = ApiBody({
  schema: { type: 'object' },
  examples: {
    rows: { summary: 'row by row', value: { instances: [ROW, ROW] } },
    columns: { summary: 'input by input', value: { inputs: [ROW, ROW] } },
  },
});
const ANSWER = ApiOkResponse({
  description: 'The answer, in the form of the question',
  content: {
    'application/json': {
      schema: { type: 'object' },
      examples: {
        rows: { value: { predictions: [{ label: 'setosa', probabilities: [0.98, 0.02, 0.0] }] } },
        columns: { value: { outputs: { label: ['setosa'], probabilities: [[0.98, 0.02, 0.0]] } } },
      },
    },
  },
});

/** What the three ways to name a version have in common. */
const Predict = (path: string): MethodDecorator =>
  applyDecorators(Post(path), HttpCode(200), Scope('predict'), ApiDeadline, ApiCacheControl, MODEL, BODY, ANSWER);

@ApiTags('tensorflow serving')
@Controller('v1/models')
export class TensorflowPredictController {
  constructor(private readonly codec: TensorflowCodec) {}

  @Predict(String.raw`:model\:predict`)
  @ApiOperation({ summary: 'Ask the production version', description: ABOUT })
  @Refuses(...MODEL_UNKNOWN, NOTHING_IN_PRODUCTION, ...PREDICT_REFUSALS)
  predict(@Req() request: Request): Promise<string | Buffer> {
    return this.codec.answer(request);
  }

  @Predict(String.raw`:model/versions/:version\:predict`)
  @VERSION
  @ApiOperation({ summary: 'Ask a version' })
  @Refuses(...MODEL_UNKNOWN, ...VERSION_UNKNOWN, ...PREDICT_REFUSALS)
  predictVersion(@Req() request: Request): Promise<string | Buffer> {
    return this.codec.answer(request);
  }

  @Predict(String.raw`:model/labels/:label\:predict`)
  @LABEL
  @ApiOperation({ summary: 'Ask the version that a label points at' })
  @Refuses(...MODEL_UNKNOWN, ...LABEL_UNKNOWN, ...PREDICT_REFUSALS)
  predictLabel(@Req() request: Request): Promise<string | Buffer> {
    return this.codec.answer(request);
  }
}
