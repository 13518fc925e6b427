import { Global, Module } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import { LogConfig } from '../config/app-config';
import { AccessLog } from './access-log';
import { LogLevel } from './log-level';
import { openLog } from './open-log';
import { LogDestination, rootLogger } from './root-logger';

@Global()
@Module({ providers: [{ provide: LogDestination, useFactory: openLog, inject: [LogConfig] }], exports: [LogDestination] })
class LogDestinationModule {}

@Global()
@Module({
  imports: [
    LogDestinationModule,
    LoggerModule.forRootAsync({
      inject: [LogConfig, LogDestination],
      useFactory: (config: LogConfig, destination: LogDestination) => ({
        pinoHttp: { logger: rootLogger(config.level, destination) },
        // the pipeline's first middleware opens the context and writes the access line: pino-http's own costs three times as much
        forRoutes: [],
        nativeLogger: { structuredParams: true, flattenParams: true },
      }),
    }),
  ],
  providers: [AccessLog, LogLevel],
  exports: [AccessLog, LogLevel],
})
export class LoggingModule {}
