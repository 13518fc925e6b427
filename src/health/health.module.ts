import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ModelsModule } from '../models/models.module';
import { StorageModule } from '../storage/storage.module';
import { DrainIndicator } from './drain.indicator';
import { HealthController } from './health.controller';
import { ModelsIndicator } from './models.indicator';
import { OpenInferenceHealthController } from './open-inference-health.controller';
import { Readiness } from './readiness';
import { StorageIndicator } from './storage.indicator';

@Module({
  imports: [TerminusModule.forRoot({ logger: false, errorLogStyle: 'json' }), ModelsModule, StorageModule],
  controllers: [HealthController, OpenInferenceHealthController],
  providers: [Readiness, ModelsIndicator, StorageIndicator, DrainIndicator],
})
export class HealthModule {}
