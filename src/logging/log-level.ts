import { Injectable, Logger } from '@nestjs/common';
import { PinoLogger } from 'nestjs-pino';
import { pino } from 'pino';
import { LogConfig } from '../config/app-config';

/** The levels, least first; at `silent` nothing is written. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

const INFO = weightOf('info');

/** The least level that is written: that of the settings, or another one for a while. */
@Injectable()
export class LogLevel {
  private readonly logger = new Logger(LogLevel.name);
  /** As the settings have it. */
  readonly setting: string;
  /** As it is now. */
  current: string;
  /** When the setting's holds again; undefined: it holds, or another one until the process ends. */
  until: Date | undefined;
  /** Whether routine lines are written. */
  writesInfo: boolean;
  private timer: NodeJS.Timeout | undefined;

  constructor({ level }: LogConfig) {
    [this.setting, this.current, this.writesInfo] = [level, level, weightOf(level) <= INFO];
  }

  /** @param forSeconds then the setting's holds again; undefined: until the process ends */
  change(level: string, actor: string, forSeconds?: number): void {
    clearTimeout(this.timer);
    this.until = forSeconds === undefined ? undefined : new Date(Date.now() + forSeconds * 1000);
    if (forSeconds !== undefined) this.timer = setTimeout(() => this.change(this.setting, 'system'), forSeconds * 1000).unref();
    const from = this.current;
    PinoLogger.root.level = 'info'; // nobody goes unseen by silencing the log
    this.logger.log('log level changed', { from, to: level, ...(forSeconds !== undefined && { forSeconds }), actor });
    PinoLogger.root.level = level;
    [this.current, this.writesInfo] = [level, weightOf(level) <= INFO];
  }
}

function weightOf(level: string): number {
  return pino.levels.values[level] ?? Number.POSITIVE_INFINITY;
}
