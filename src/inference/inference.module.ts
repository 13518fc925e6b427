import { Module } from '@nestjs/common';
import { ModelsModule } from '../models/models.module';
import { Admission } from './admission';
import { CallStatistics } from './call-statistics';
import { Coalescer } from './coalescer';
import { Deadlines } from './deadlines';
import { InferenceService } from './inference.service';

@Module({
  imports: [ModelsModule],
  providers: [Admission, Coalescer, Deadlines, CallStatistics, InferenceService],
  exports: [CallStatistics, InferenceService, ModelsModule],
})
export class InferenceModule {}
