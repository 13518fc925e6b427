import { Global, Module } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import { LogConfig } from '../config/app-config';
import { AccessLog } from './access-log';
import { LogDestination, rootLogger, standardOutput } from './root-logger';

@Global()
@Module({ providers: [{ provide: LogDestination, useFactory: standardOutput }], exports: [LogDestination] })
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
  providers: [AccessLog],
  exports: [AccessLog],
})
export class LoggingModule {}
