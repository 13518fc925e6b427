import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsInt, Max, Min } from 'class-validator';
import { LOG_LEVELS, type LogLevel } from '../logging/log-level';
import { MayBeAbsent } from '../wire/may-be-absent.decorator';

const UNTIL = '2026-11-23T10:15:00.000Z';

/** Another level, for a while or until the process ends. */
export class LogLevelRequest {
  @ApiProperty({ enum: LOG_LEVELS, example: 'debug', description: 'Least level that is written' })
  @IsIn(LOG_LEVELS)
  readonly level!: string;

  @ApiPropertyOptional({ example: 900, description: 'Then the level of `LOG_LEVEL` holds again; absent: when the process starts again' })
  @MayBeAbsent()
  @IsInt()
  @Min(1)
  @Max(86_400)
  readonly forSeconds?: number;
}

/** What is written to the log now. */
export class LogLevelView {
  @ApiProperty({ enum: LOG_LEVELS, example: 'debug', description: 'Least level that is written' })
  readonly level: string;

  @ApiProperty({ enum: LOG_LEVELS, example: 'info', description: 'As `LOG_LEVEL` has it' })
  readonly setting: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: UNTIL, description: 'When that of the setting holds again' })
  readonly until: string | null;

  constructor({ current, setting, until }: Pick<LogLevel, 'current' | 'setting' | 'until'>) {
    [this.level, this.setting, this.until] = [current, setting, until?.toISOString() ?? null];
  }
}
