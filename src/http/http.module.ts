import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { DocumentationController } from './documentation.controller';
import { DocumentationPage } from './documentation-page';
import { Drainer } from './drainer';
import { AuthModule } from '../auth/auth.module';
import { LogLevelController } from './log-level.controller';
import { MetricsController } from './metrics.controller';
import { RootController } from './root.controller';

@Module({
  imports: [DiscoveryModule, AuthModule, PrometheusModule.register({ controller: MetricsController })],
  controllers: [RootController, DocumentationController, LogLevelController],
  providers: [Drainer, DocumentationPage],
})
export class HttpModule {}
