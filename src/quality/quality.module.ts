import { Module } from '@nestjs/common';
import { InferenceModule } from '../inference/inference.module';
import { StorageModule } from '../storage/storage.module';
import { BaselineFiles } from './baseline-files';
import { FeedbackController } from './feedback.controller';
import { FeedbackService } from './feedback.service';
import { FeedbackWindows } from './feedback-windows';
import { InputDrift } from './input-drift';
import { ModelQualityController } from './model-quality.controller';
import { ObsoleteQuality } from './obsolete-quality';
import { QUALITY_METRICS, QualityMetrics } from './quality.metrics';

@Module({
  imports: [InferenceModule, StorageModule],
  controllers: [FeedbackController, ModelQualityController],
  providers: [...QUALITY_METRICS, BaselineFiles, FeedbackWindows, InputDrift, QualityMetrics, FeedbackService, ObsoleteQuality],
})
export class QualityModule {}
