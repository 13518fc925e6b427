import { Controller, Get, HttpCode, Logger, Param, Post, Query, Req } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { type Caller, CurrentCaller } from '../../auth/caller';
import { Scope } from '../../auth/scope.decorator';
import { HttpConfig } from '../../config/app-config';
import { Refuses } from '../../errors/refuses.decorator';
import { modelName } from '../../models/model-name';
import { InvalidName, ModelMemoryExceeded, ModelNotFound, ModelUnavailable, NoProductionVersion } from '../../models/models.errors';
import { RegistryState } from '../../models/registry/registry-state';
import { ModelCatalog, type VersionState } from '../../models/serving/model-catalog';
import { BodyTooLarge, MalformedBody, MalformedJson } from '../../wire/wire.errors';
import { onlyReady, readRepositoryRequest, refuseContent } from './repository-request';

/** A version in the index. */
interface IndexEntry extends VersionState {
  readonly name: string;
  readonly version: string;
}

const TRUTHS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
]);
const MODEL = ApiParam({ name: 'model', type: String, example: 'iris' });
const INDEX = ApiOkResponse({ schema: { type: 'array', example: [{ name: 'iris', version: '1', state: 'READY' }] } });
const UNREADABLE = [new MalformedJson('Unexpected end of JSON input'), new BodyTooLarge(8_388_608)];
const NOT_FOUND = [new InvalidName('model', 'a name', 'Iris!'), new ModelNotFound('iris')];
const CONTENT = new MalformedBody('A model is uploaded by POST /api/v1/models, never by a load', {
  field: 'parameters.config',
  expected: 'absent',
});
const NO_TRUTH = new MalformedBody('ready must be true or false', { field: 'ready', expected: 'true or false', actual: '"yes"' });

/** The models of the registry, moved into memory and out of it. What they are is decided elsewhere: no request names a path or brings bytes. */
@ApiTags('open inference')
@Controller('v2/repository')
export class RepositoryController {
  private readonly logger = new Logger(RepositoryController.name);

  constructor(
    private readonly state: RegistryState,
    private readonly catalog: ModelCatalog,
    private readonly config: HttpConfig,
  ) {}

  @Post('index')
  @Scope('models:read')
  @HttpCode(200)
  @ApiOperation({ summary: 'Every version, and whether it answers', description: '`{"ready": true}`: only those that do.' })
  @ApiBody({ required: false, schema: { type: 'object', example: { ready: true } } })
  @INDEX
  @Refuses(...UNREADABLE, NO_TRUTH)
  async postIndex(@Req() request: Request, @CurrentCaller() caller: Caller): Promise<readonly IndexEntry[]> {
    const { ready } = await readRepositoryRequest(request, this.config);
    return this.entries(caller, onlyReady(ready));
  }

  @Get('index')
  @Scope('models:read')
  @ApiOperation({ summary: 'Every version, and whether it answers' })
  @ApiQuery({ name: 'ready', required: false, type: Boolean, description: '`true`: only those that do' })
  @INDEX
  @Refuses(NO_TRUTH)
  getIndex(@CurrentCaller() caller: Caller, @Query('ready') ready?: string): readonly IndexEntry[] {
    return this.entries(caller, onlyReady(TRUTHS.get(ready ?? '') ?? ready));
  }

  @Post('models/:model/load')
  @Scope('promote')
  @HttpCode(200)
  @MODEL
  @ApiOperation({
    summary: 'Take the production version of a model into memory, and serve it',
    description: 'Of this process, until it ends. A model that is in memory stays there.',
  })
  @ApiBody({ required: false, schema: { type: 'object', example: {} } })
  @ApiOkResponse({ schema: { type: 'object', example: { name: 'iris', load: true } } })
  @Refuses(
    ...NOT_FOUND,
    ...UNREADABLE,
    CONTENT,
    new NoProductionVersion('iris', [1]),
    new ModelUnavailable('iris', 1, 'its file cannot be read'),
    new ModelMemoryExceeded('iris', 1, 2 ** 30, 2 ** 29),
  )
  async load(@Param('model') model: string, @Req() request: Request, @CurrentCaller() { actor }: Caller): Promise<object> {
    const name = modelName(model, 'model');
    refuseContent(await readRepositoryRequest(request, this.config));
    await this.catalog.reinstate(name);
    this.logger.log('model loaded on request', { model: name, actor });
    return { name, load: true };
  }

  @Post('models/:model/unload')
  @Scope('promote')
  @HttpCode(200)
  @MODEL
  @ApiOperation({
    summary: 'Take a model out of memory, and serve it no more until it is loaded',
    description: 'Of this process, until it ends. Calls that run are answered. The registry does not change.',
  })
  @ApiBody({ required: false, schema: { type: 'object', example: {} } })
  @ApiOkResponse({ schema: { type: 'object', example: { name: 'iris', unload: true } } })
  @Refuses(...NOT_FOUND, ...UNREADABLE, CONTENT)
  async unload(@Param('model') model: string, @Req() request: Request, @CurrentCaller() { actor }: Caller): Promise<object> {
    const name = modelName(model, 'model');
    refuseContent(await readRepositoryRequest(request, this.config));
    await this.catalog.withdraw(name);
    this.logger.log('model unloaded on request', { model: name, actor });
    return { name, unload: true };
  }

  private entries(caller: Caller, ready: boolean): readonly IndexEntry[] {
    const models = this.state.list().filter(({ name }) => caller.mayUse(name));
    return models
      .flatMap(({ versions }) => [...versions.values()])
      .map((record) => ({ name: record.model, version: String(record.version), ...this.catalog.stateOf(record) }))
      .filter(({ state }) => !ready || state === 'READY');
  }
}
