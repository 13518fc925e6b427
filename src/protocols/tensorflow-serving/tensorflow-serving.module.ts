import { Module } from '@nestjs/common';
import { InferenceModule } from '../../inference/inference.module';
import { TensorflowCodec } from './tensorflow-codec';
import { TensorflowMetadataController } from './tensorflow-metadata.controller';
import { TensorflowPredictController } from './tensorflow-predict.controller';
import { TensorflowStatusController } from './tensorflow-status.controller';
import { TensorflowUnsupportedController } from './tensorflow-unsupported.controller';

@Module({
  imports: [InferenceModule],
  controllers: [TensorflowPredictController, TensorflowStatusController, TensorflowMetadataController, TensorflowUnsupportedController],
  providers: [TensorflowCodec],
})
export class TensorflowServingModule {}
