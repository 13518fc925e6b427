import { Global, Module } from '@nestjs/common';
import { CONFIG_GROUPS } from './app-config';
import { type AppConfig, loadConfig } from './load-config';

const APP_CONFIG = Symbol('APP_CONFIG');

/** Gives every room the settings group that it names in a constructor. */
@Global()
@Module({
  providers: [
    { provide: APP_CONFIG, useFactory: () => loadConfig() },
    ...CONFIG_GROUPS.map((group) => ({ provide: group, useFactory: (config: AppConfig) => config.get(group), inject: [APP_CONFIG] })),
  ],
  exports: [...CONFIG_GROUPS],
})
export class ConfigModule {}
