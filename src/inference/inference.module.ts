import { Module } from '@nestjs/common';
import { TieredCacheModule } from '../cache/cache.module';
import { ModelsModule } from '../models/models.module';
import { Admission } from './admission';
import { AnsweredCalls } from './answered-calls';
import { CacheCounts } from './cache-counts';
import { CacheController } from './cache.controller';
import { CachedOutputs } from './cached-outputs';
import { CallStatistics } from './call-statistics';
import { Coalescer } from './coalescer';
import { Deadlines } from './deadlines';
import { InferenceService } from './inference.service';
import { ObsoleteAnswers } from './obsolete-answers';
import { PredictionMetrics } from './prediction.metrics';
import { PredictionCacheInterceptor } from './prediction-cache.interceptor';

@Module({
  imports: [ModelsModule, TieredCacheModule.holding(new CachedOutputs())],
  controllers: [CacheController],
  providers: [
    Admission,
    AnsweredCalls,
    Coalescer,
    Deadlines,
    CallStatistics,
    InferenceService,
    CacheCounts,
    ObsoleteAnswers,
    PredictionCacheInterceptor,
    PredictionMetrics,
  ],
  exports: [AnsweredCalls, CallStatistics, InferenceService, PredictionCacheInterceptor, ModelsModule],
})
export class InferenceModule {}
