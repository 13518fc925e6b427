import { applyDecorators, Controller, HttpCode, Post, Req } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { Scope } from '../../auth/scope.decorator';
import { ApiCacheControl } from '../cache-control';
import { ApiDeadline } from '../deadline';
import { JSON_LENGTH_HEADER } from './body-parts';
import { RefusesInfer } from './infer-refusals';
import { OpenInferenceCodec } from './open-inference-codec';

const FLOWER = { name: 'features', datatype: 'FP32', shape: [1, 4], data: [5.1, 3.5, 1.4, 0.2] };
const CLASSES = { name: 'probabilities', parameters: { classification: 2 } };
const LABEL = { name: 'label', datatype: 'INT64', shape: [1], data: [0] };
const PROBABILITIES = { name: 'probabilities', datatype: 'FP32', shape: [1, 3], data: [0.9811, 0.0189, 2.2e-7] };
const ABOUT = { model_name: 'iris', model_version: '1' };

const DESCRIPTION = `The Open Inference Protocol v2: tensors as JSON, or as bytes behind it (the binary tensor data extension; the header
\`${JSON_LENGTH_HEADER}\` says how many bytes are JSON, 0: the body is the bytes of the only input). \`null\` stands for NaN.`;

function Infer(path: string, summary: string): MethodDecorator {
  return applyDecorators(
    Post(path),
    Scope('predict'),
    HttpCode(200),
    ApiOperation({ summary, description: DESCRIPTION }),
    ApiParam({ name: 'model', type: String, example: 'iris' }),
    ApiHeader({
      name: JSON_LENGTH_HEADER,
      required: false,
      description: 'Bytes of JSON before the tensors’ bytes',
      schema: { type: 'integer' },
    }),
    ApiDeadline,
    ApiCacheControl,
    ApiBody({
      schema: { type: 'object' },
      examples: {
        one: { summary: 'one row', value: { id: 'flower-1', inputs: [FLOWER] } },
        classes: { summary: 'the two most probable classes', value: { inputs: [FLOWER], outputs: [CLASSES] } },
      },
    }),
    ApiOkResponse({
      description: 'The outputs; with `application/octet-stream`, bytes follow the JSON',
      content: {
        'application/json': {
          schema: { type: 'object' },
          examples: { one: { value: { id: 'flower-1', ...ABOUT, outputs: [LABEL, PROBABILITIES] } } },
        },
      },
    }),
    RefusesInfer,
  );
}

@ApiTags('open inference')
@Controller('v2/models/:model')
export class InferController {
  constructor(private readonly codec: OpenInferenceCodec) {}

  @Infer('infer', 'Infer by the version in production')
  infer(@Req() request: Request): Promise<string | Buffer> {
    return this.codec.answer(request);
  }

  @Infer('versions/:version/infer', 'Infer by a version, or by what an alias points at')
  @ApiParam({ name: 'version', type: String, example: '1', description: 'A number, or an alias' })
  inferVersion(@Req() request: Request): Promise<string | Buffer> {
    return this.codec.answer(request);
  }
}
