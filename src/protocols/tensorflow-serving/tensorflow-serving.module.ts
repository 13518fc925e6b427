import { Module } from '@nestjs/common';
import { InferenceModule } from '../../inference/inference.module';
import { TensorflowMetadataController } from './tensorflow-metadata.controller';
import { TensorflowPredictController } from './tensorflow-predict.controller';
import { TensorflowStatusController } from './tensorflow-status.controller';
import { TensorflowUnsupportedController } from './tensorflow-unsupported.controller';

@Module({
  imports: [InferenceModule],
  controllers: [TensorflowPredictController, TensorflowStatusController, TensorflowMetadataController, TensorflowUnsupportedController],
})
export class TensorflowServingModule {}
