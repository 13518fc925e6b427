import { Global, Module } from '@nestjs/common';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { HTTP_DURATION, HttpMetrics } from './http-metrics';
import { MetricsController } from './metrics.controller';

@Global()
@Module({
  imports: [PrometheusModule.register({ controller: MetricsController })],
  providers: [HTTP_DURATION, HttpMetrics],
  exports: [HttpMetrics],
})
export class MetricsModule {}
