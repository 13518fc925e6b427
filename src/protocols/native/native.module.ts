import { Module } from '@nestjs/common';
import { InferenceModule } from '../../inference/inference.module';
import { NativeCodec } from './native-codec';
import { PredictController } from './predict.controller';

@Module({ imports: [InferenceModule], controllers: [PredictController], providers: [NativeCodec] })
export class NativeModule {}
