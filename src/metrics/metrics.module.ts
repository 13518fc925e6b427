import { Global, Module } from '@nestjs/common';
import { BuildInfo } from './build-info';
import { Exposition } from './exposition';
import { HttpMetrics } from './http-metrics';

@Global()
@Module({
  providers: [Exposition, HttpMetrics, BuildInfo],
  exports: [Exposition, HttpMetrics],
})
export class MetricsModule {}
