import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { HealthCheckResult } from '@nestjs/terminus';
import { Public, Scope } from '../auth/scope.decorator';
import { Refuses } from '../errors/refuses.decorator';
import { NotReady } from './health.errors';
import { type Ready, Readiness } from './readiness';

const READY = ApiOkResponse({ description: 'Yes', schema: { type: 'object', example: { status: 'ok', degraded: [] } } });
const MEMORY = { usedBytes: 1_048_576, limitBytes: 2_147_483_648 };
const ENGINES = { onnxruntime: '1.30.0', tfjs: '4.22.0', 'tfjs-node': null };
const NOT_READY = new NotReady({ models: { status: 'down', serving: 0, broken: [], waitingFor: ['iris'] } });
const BACKUP = { status: 'up', rpoSeconds: 32_400, snapshots: 7, damaged: 0, unsigned: 7 };
const EXAMPLE = {
  status: 'ok',
  info: {
    server: { status: 'up' },
    models: { status: 'up', serving: 1, broken: [], memory: MEMORY, engines: ENGINES },
    storage: { status: 'up', writable: true },
    backup: BACKUP,
  },
  error: {},
  details: {
    server: { status: 'up' },
    models: { status: 'up', serving: 1, broken: [], memory: MEMORY, engines: ENGINES },
    storage: { status: 'up', writable: true },
    backup: BACKUP,
  },
};

@ApiTags('operation')
@Controller('health')
export class HealthController {
  constructor(private readonly readiness: Readiness) {}

  @Get()
  @Scope('metrics')
  @ApiOperation({ summary: 'Everything that is known of the service’s health' })
  @ApiOkResponse({ schema: { type: 'object', example: EXAMPLE } })
  @Refuses(NOT_READY)
  all(): Promise<HealthCheckResult> {
    return this.readiness.check();
  }

  @Get('live')
  @Public()
  @ApiOperation({ summary: 'Whether the process answers; depends on nothing else' })
  @READY
  live(): Ready {
    return { status: 'ok', degraded: [] };
  }

  @Get('ready')
  @Public()
  @ApiOperation({
    summary: 'Whether to send traffic',
    description: 'A broken model that is not required does not change it, nor does a registry that takes no changes.',
  })
  @ApiQuery({ name: 'check', required: false, enum: ['write'], description: '`write`: say no also where the registry takes no changes' })
  @READY
  @Refuses(NOT_READY)
  ready(@Query('check') check?: string): Promise<Ready> {
    return this.readiness.probe(check === 'write');
  }

  @Get('startup')
  @Public()
  @ApiOperation({ summary: 'Whether the start has ended: required models loaded and warm' })
  @READY
  @Refuses(NOT_READY)
  startup(): Promise<Ready> {
    return this.readiness.probe(false);
  }
}
