import { Body, Controller, Delete, HttpCode, Param, Patch, Post, Put, Req, Res, UseInterceptors } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Scope } from '../auth/scope.decorator';
import { Refuses } from '../errors/refuses.decorator';
import { EngineDeadlineExceeded, ModelQuarantined } from '../runtime/runtime.errors';
import { CommitUncertain, NoSpace, ReadOnly } from '../storage/storage.errors';
import { checked } from '../wire/checked';
import { JsonBodyInterceptor } from '../wire/json-body.interceptor';
import { MalformedBody, MalformedJson, UnsupportedMediaType } from '../wire/wire.errors';
import { AliasRequest } from './dto/alias.dto';
import { DescribeRequest } from './dto/describe.dto';
import { PromoteRequest } from './dto/promote.dto';
import { RollbackRequest } from './dto/rollback.dto';
import { aliasName, modelName, versionNumber } from './model-name';
import { type Change, ModelRegistry } from './model-registry.service';
import { ModelView, VersionView } from './model-view';
import {
  AliasNotFound,
  InvalidName,
  ModelChanged,
  ModelMemoryExceeded,
  ModelNotFound,
  NothingToRollBack,
  VersionNotFound,
} from './models.errors';
import type { VersionRecord } from './registry-state';
import { VersionViews } from './version-views';

const ACTOR = 'anonymous';
const MODEL = ApiParam({ name: 'model', type: String, example: 'iris' });
const VERSION = ApiParam({ name: 'version', example: 1, type: Number });
const IF_MATCH = ApiHeader({
  name: 'If-Match',
  required: false,
  description: 'The `ETag` of the model that you saw: refused (412) where it was changed since',
});
const ALIAS = ApiParam({ name: 'alias', type: String, example: 'champion' });

const BAD_NAME = new InvalidName('model', 'a name', 'Iris!');
const BAD_BODY = new MalformedBody('body.stage must be one of the following values: staging, production, archived', {
  field: 'body.stage',
  expected: 'must be one of the following values: staging, production, archived',
  actual: '"live"',
});
const CHANGED = new ModelChanged('iris', '"9f1c-3"', '"9f1c-7"');
const UNREADABLE = [
  new MalformedJson('it is empty'),
  BAD_BODY,
  new UnsupportedMediaType('Content-Type', 'application/json', 'none'),
] as const;
const UNWRITABLE = [new CommitUncertain(7), new ReadOnly('the file system lacks what the registry needs'), new NoSpace()] as const;
const UNLOADABLE = [
  new EngineDeadlineExceeded(30_000),
  new ModelMemoryExceeded('iris', 1, 2 ** 30, 2 ** 29),
  new ModelQuarantined(4),
] as const;

/** Where versions stand and what they are called. */
@ApiTags('models')
@Controller('api/v1/models')
export class ModelChangesController {
  constructor(
    private readonly registry: ModelRegistry,
    private readonly views: VersionViews,
  ) {}

  @Post(':model/versions/:version/promote')
  @Scope('promote')
  @HttpCode(200)
  @UseInterceptors(JsonBodyInterceptor)
  @MODEL
  @VERSION
  @IF_MATCH
  @ApiOperation({ summary: 'Move a version to a stage', description: 'Into production: it is loaded and warm before it takes over.' })
  @ApiOkResponse({ type: VersionView })
  @Refuses(
    BAD_NAME,
    ...UNREADABLE,
    new ModelNotFound('iris'),
    new VersionNotFound('iris', 9, [1, 2]),
    CHANGED,
    ...UNWRITABLE,
    ...UNLOADABLE,
  )
  async promote(
    @Param('model') model: string,
    @Param('version') version: string,
    @Body() body: PromoteRequest,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<VersionView> {
    const { stage, reason } = checked(PromoteRequest, body, 'body');
    const change = changeOf(request, reason);
    return this.answer(response, await this.registry.move(modelName(model, 'model'), versionNumber(version, 'version'), stage, change));
  }

  @Post(':model/rollback')
  @Scope('promote')
  @HttpCode(200)
  @UseInterceptors(JsonBodyInterceptor)
  @MODEL
  @IF_MATCH
  @ApiOperation({
    summary: 'Bring back what was in production before',
    description: 'Loaded and warm before it takes over. Once more goes one version further back.',
  })
  @ApiBody({ type: RollbackRequest, examples: { why: { value: { reason: 'wrong since the upgrade of the feed' } } } })
  @ApiOkResponse({ type: VersionView, description: 'The version that is in production now' })
  @Refuses(BAD_NAME, ...UNREADABLE, new ModelNotFound('iris'), new NothingToRollBack('iris'), CHANGED, ...UNWRITABLE, ...UNLOADABLE)
  async rollback(
    @Param('model') model: string,
    @Body() body: RollbackRequest,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<VersionView> {
    const { reason } = checked(RollbackRequest, body, 'body');
    return this.answer(response, await this.registry.rollback(modelName(model, 'model'), changeOf(request, reason)));
  }

  @Patch(':model')
  @Scope('models:write')
  @UseInterceptors(JsonBodyInterceptor)
  @MODEL
  @IF_MATCH
  @ApiOperation({ summary: 'Describe a model', description: 'What is left out stays as it is.' })
  @ApiBody({ type: DescribeRequest, examples: { both: { value: { description: 'Species of an iris', tags: ['example'] } } } })
  @ApiOkResponse({ type: ModelView })
  @Refuses(BAD_NAME, ...UNREADABLE, new ModelNotFound('iris'), CHANGED, ...UNWRITABLE)
  async describe(
    @Param('model') model: string,
    @Body() body: DescribeRequest,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ModelView> {
    const { description, tags } = checked(DescribeRequest, body, 'body');
    const said = { ...(description !== undefined && { description }), ...(tags !== undefined && { tags }) };
    const record = await this.registry.describe(modelName(model, 'model'), said, changeOf(request));
    response.setHeader('ETag', this.views.etag(record.name));
    return this.views.model(record);
  }

  @Put(':model/aliases/:alias')
  @Scope('models:write')
  @UseInterceptors(JsonBodyInterceptor)
  @MODEL
  @ALIAS
  @IF_MATCH
  @ApiOperation({ summary: 'Point an alias at a version', description: '`production` always follows the stage and cannot be set.' })
  @ApiOkResponse({ type: VersionView })
  @Refuses(BAD_NAME, ...UNREADABLE, new ModelNotFound('iris'), new VersionNotFound('iris', 9, [1, 2]), CHANGED, ...UNWRITABLE)
  async setAlias(
    @Param('model') model: string,
    @Param('alias') alias: string,
    @Body() body: AliasRequest,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<VersionView> {
    const { version } = checked(AliasRequest, body, 'body');
    const [name, called] = [modelName(model, 'model'), aliasName(alias, 'alias')];
    return this.answer(response, await this.registry.setAlias(name, called, version, changeOf(request)));
  }

  @Delete(':model/aliases/:alias')
  @Scope('models:write')
  @HttpCode(204)
  @MODEL
  @ALIAS
  @IF_MATCH
  @ApiOperation({ summary: 'Remove an alias' })
  @ApiNoContentResponse()
  @Refuses(BAD_NAME, new ModelNotFound('iris'), new AliasNotFound('iris', 'champion', []), CHANGED, ...UNWRITABLE)
  removeAlias(@Param('model') model: string, @Param('alias') alias: string, @Req() request: Request): Promise<void> {
    return this.registry.removeAlias(modelName(model, 'model'), aliasName(alias, 'alias'), changeOf(request));
  }

  private answer(response: Response, record: VersionRecord): VersionView {
    response.setHeader('ETag', this.views.etag(record.model));
    return this.views.version(record);
  }
}

function changeOf(request: Request, reason?: string): Change {
  const ifMatch = request.headers['if-match'];
  return { actor: ACTOR, ...(reason !== undefined && { reason }), ...(ifMatch !== undefined && { ifMatch }) };
}
