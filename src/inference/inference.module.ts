import { Module } from '@nestjs/common';
import { ModelsModule } from '../models/models.module';
import { Admission } from './admission';
import { InferenceService } from './inference.service';

@Module({ imports: [ModelsModule], providers: [Admission, InferenceService], exports: [InferenceService, ModelsModule] })
export class InferenceModule {}
