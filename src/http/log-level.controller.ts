import { Body, Controller, Get, Put, UseInterceptors } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Caller, CurrentCaller } from '../auth/caller';
import { Scope } from '../auth/scope.decorator';
import { Refuses } from '../errors/refuses.decorator';
import { LogLevel } from '../logging/log-level';
import { checked } from '../wire/checked';
import { JsonBodyInterceptor } from '../wire/json-body.interceptor';
import { BodyTooLarge, BodyTooSlow, MalformedBody, MalformedJson, UnsupportedMediaType } from '../wire/wire.errors';
import { LogLevelRequest, LogLevelView } from './log-level.dto';

const LEVELS = 'must be one of the following values: trace, debug, info, warn, error, fatal, silent';

/** How much of what goes on is written to the log. */
@ApiTags('operation')
@Controller('api/v1/log-level')
export class LogLevelController {
  constructor(private readonly level: LogLevel) {}

  @Get()
  @Scope('logs:admin')
  @ApiOperation({ summary: 'What is written to the log', description: 'Of this process.' })
  @ApiOkResponse({ type: LogLevelView })
  now(): LogLevelView {
    return new LogLevelView(this.level);
  }

  @Put()
  @Scope('logs:admin')
  @UseInterceptors(JsonBodyInterceptor)
  @ApiOperation({
    summary: 'Write more to the log, or less',
    description: 'In this process, at once. The change itself is written whatever the level.',
  })
  @ApiBody({
    type: LogLevelRequest,
    examples: { debug: { value: { level: 'debug', forSeconds: 900 } }, back: { value: { level: 'info' } } },
  })
  @ApiOkResponse({ type: LogLevelView })
  @Refuses(
    new MalformedJson('it is empty'),
    new MalformedBody(`body.level ${LEVELS}`, { field: 'body.level', expected: LEVELS, actual: '"loud"' }),
    new BodyTooLarge(8_388_608),
    new BodyTooSlow({ maxMs: 30_000 }),
    new UnsupportedMediaType('Content-Type', 'application/json', 'none'),
  )
  change(@Body() body: LogLevelRequest, @CurrentCaller() { actor }: Caller): LogLevelView {
    const { level, forSeconds } = checked(LogLevelRequest, body, 'body');
    this.level.change(level, actor, forSeconds);
    return new LogLevelView(this.level);
  }
}
