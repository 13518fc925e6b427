import { Global, Module } from '@nestjs/common';
import { HTTP_DURATION, HttpMetrics } from './http-metrics';

@Global()
@Module({
  providers: [HTTP_DURATION, HttpMetrics],
  exports: [HttpMetrics],
})
export class MetricsModule {}
