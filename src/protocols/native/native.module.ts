import { Module } from '@nestjs/common';
import { InferenceModule } from '../../inference/inference.module';
import { PredictController } from './predict.controller';

@Module({ imports: [InferenceModule], controllers: [PredictController] })
export class NativeModule {}
