import { StorageConfig } from '../config/app-config';
import { type AppConfig, loadConfig } from '../config/load-config';
import type { CommonOptions } from './command-frame';

/** The settings of a command: those of the environment, also where the server could not start with them. @throws BadConfiguration */
export function toolConfig(): AppConfig {
  return loadConfig(undefined, 'tool');
}

/** The registry's folder: the option, else the setting. */
export function modelsDirOf({ modelsDir }: CommonOptions, config: AppConfig): string {
  return textOf(modelsDir) ?? (config.get(StorageConfig) as StorageConfig).modelsDir;
}

/** The value of an option; an empty one, as `--models-dir "$NOT_SET"` gives it, is none. */
export function textOf(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
