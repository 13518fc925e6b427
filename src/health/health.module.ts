import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { BackupModule } from '../backup/backup.module';
import { ModelsModule } from '../models/models.module';
import { StorageModule } from '../storage/storage.module';
import { BackupIndicator } from './backup.indicator';
import { DrainIndicator } from './drain.indicator';
import { HealthController } from './health.controller';
import { ModelsIndicator } from './models.indicator';
import { OpenInferenceHealthController } from './open-inference-health.controller';
import { Readiness } from './readiness';
import { StorageIndicator } from './storage.indicator';

@Module({
  imports: [TerminusModule.forRoot({ logger: false, errorLogStyle: 'json' }), BackupModule, ModelsModule, StorageModule],
  controllers: [HealthController, OpenInferenceHealthController],
  providers: [Readiness, BackupIndicator, ModelsIndicator, StorageIndicator, DrainIndicator],
})
export class HealthModule {}
