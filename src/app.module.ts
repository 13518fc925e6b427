import { Module } from '@nestjs/common';
import { AuthModule } from './auth/auth.module';
import { BackupModule } from './backup/backup.module';
import { ConfigModule } from './config/config.module';
import { HealthModule } from './health/health.module';
import { HttpModule } from './http/http.module';
import { LoggingModule } from './logging/logging.module';
import { MetricsModule } from './metrics/metrics.module';
import { ModelsModule } from './models/models.module';
import { NativeModule } from './protocols/native/native.module';
import { OpenInferenceModule } from './protocols/open-inference/open-inference.module';
import { QualityModule } from './quality/quality.module';
import { TensorflowServingModule } from './protocols/tensorflow-serving/tensorflow-serving.module';

/** The only file that knows every room. Ground floor first. */
@Module({
  imports: [
    ConfigModule,
    LoggingModule,
    MetricsModule,
    AuthModule,
    ModelsModule,
    QualityModule,
    BackupModule,
    NativeModule,
    OpenInferenceModule,
    TensorflowServingModule,
    HealthModule,
    HttpModule,
  ],
})
export class AppModule {}
