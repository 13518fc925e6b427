import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Public } from '../auth/scope.decorator';
import { Refuses } from '../errors/refuses.decorator';
import { NotReady } from './health.errors';
import { Readiness } from './readiness';

const LIVE = { live: true };
/** The protocol's own text shows `live` where its servers say `ready`. */
const READY = { ready: true, live: true };

/** The probes as the Open Inference Protocol has them. */
@ApiTags('open inference')
@Controller('v2/health')
export class OpenInferenceHealthController {
  constructor(private readonly readiness: Readiness) {}

  @Get('live')
  @Public()
  @ApiOperation({ summary: 'Whether the process answers' })
  @ApiOkResponse({ schema: { type: 'object', example: LIVE } })
  live(): typeof LIVE {
    return LIVE;
  }

  @Get('ready')
  @Public()
  @ApiOperation({ summary: 'Whether to send traffic' })
  @ApiOkResponse({ schema: { type: 'object', example: READY } })
  @Refuses(new NotReady({ models: { status: 'down', serving: 0, broken: [], waitingFor: ['iris'] } }))
  async ready(): Promise<typeof READY> {
    await this.readiness.probe(false);
    return READY;
  }
}
