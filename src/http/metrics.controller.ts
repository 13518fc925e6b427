import { Controller, Get, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { PrometheusController } from '@willsoto/nestjs-prometheus';
import type { Response } from 'express';
import { contentType } from 'prom-client';
import { ScopeUnless } from '../auth/scope.decorator';
import { Exposition } from '../metrics/exposition';

const EXAMPLE = 'http_request_duration_seconds_count{method="POST",route="/api/v1/predict/:model",status="200"} 3\n';

@ApiTags('operation')
@Controller()
export class MetricsController extends PrometheusController {
  constructor(private readonly exposition: Exposition) {
    super();
  }

  @Get()
  @ScopeUnless(({ metricsPublic }) => metricsPublic === 'true', 'metrics')
  @ApiOperation({ summary: 'Figures for Prometheus' })
  @ApiProduces('text/plain')
  @ApiOkResponse({ description: 'Text exposition format', content: { 'text/plain': { schema: { type: 'string' }, example: EXAMPLE } } })
  override index(@Res({ passthrough: true }) response: Response): Promise<string> {
    response.header('Content-Type', contentType);
    return this.exposition.write();
  }
}
