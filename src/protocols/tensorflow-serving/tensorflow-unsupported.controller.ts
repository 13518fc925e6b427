import { Controller, Post } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Scope } from '../../auth/scope.decorator';
import { MethodUnsupported } from './tensorflow-serving.errors';

/** What TensorFlow Serving does, and this service does not: an answer that says so. */
@ApiExcludeController()
@Controller('v1/models')
export class TensorflowUnsupportedController {
  @Post([String.raw`:model\:classify`, String.raw`:model/versions/:version\:classify`, String.raw`:model/labels/:label\:classify`])
  @Scope('predict')
  classify(): never {
    throw new MethodUnsupported('classify');
  }

  @Post([String.raw`:model\:regress`, String.raw`:model/versions/:version\:regress`, String.raw`:model/labels/:label\:regress`])
  @Scope('predict')
  regress(): never {
    throw new MethodUnsupported('regress');
  }
}
