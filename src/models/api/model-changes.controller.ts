import { Body, Controller, Delete, HttpCode, Param, Patch, Post, Put, UseInterceptors } from '@nestjs/common';
import { ApiBody, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { type Caller, CurrentCaller } from '../../auth/caller';
import { Scope } from '../../auth/scope.decorator';
import { Refuses } from '../../errors/refuses.decorator';
import { checked } from '../../wire/checked';
import { JsonBodyInterceptor } from '../../wire/json-body.interceptor';
import { aliasName, modelName, reasonText, versionNumber } from '../model-name';
import { AliasNotFound } from '../models.errors';
import { NothingToRollBack } from '../registry/registry.errors';
import { ModelDescription } from '../registry/model-description';
import type { Change } from '../registry/registry-changes';
import { VersionStages } from '../registry/version-stages';
import { ApiChange, ChangeOf } from './change-of.decorator';
import { AliasRequest } from './dto/alias.dto';
import { DescribeRequest } from './dto/describe.dto';
import { PromoteRequest } from './dto/promote.dto';
import { RollbackRequest } from './dto/rollback.dto';
import { ModelEtagInterceptor } from './model-etag.interceptor';
import { ModelView } from './model-view';
import { VersionView } from './version-view';
import { BAD_NAME, GATES, NO_MODEL, NO_VERSION, UNCHANGEABLE, UNLOADABLE, UNREADABLE } from './refusals';
import { VersionViews } from './version-views';

const MODEL = ApiParam({ name: 'model', type: String, example: 'iris' });
const VERSION = ApiParam({ name: 'version', example: 1, type: Number });
const ALIAS = ApiParam({ name: 'alias', type: String, example: 'champion' });

/** Where versions stand and what they are called. */
@ApiTags('models')
@Controller('api/v1/models')
@UseInterceptors(ModelEtagInterceptor)
export class ModelChangesController {
  constructor(
    private readonly stages: VersionStages,
    private readonly description: ModelDescription,
    private readonly views: VersionViews,
  ) {}

  @Post(':model/versions/:version/promote')
  @Scope('promote', 'promote:staging')
  @HttpCode(200)
  @UseInterceptors(JsonBodyInterceptor)
  @MODEL
  @VERSION
  @ApiChange()
  @ApiOperation({
    summary: 'Move a version to a stage',
    description:
      'Into production: it is loaded and warm before it takes over. Refused where it would break the callers of the present version, or a golden row is off on this machine, unless `force` is true.',
  })
  @ApiOkResponse({ type: VersionView })
  @Refuses(BAD_NAME, ...UNREADABLE, NO_MODEL, NO_VERSION, ...GATES, ...UNCHANGEABLE, ...UNLOADABLE)
  async promote(
    @Param('model') model: string,
    @Param('version') version: string,
    @Body() body: PromoteRequest,
    @ChangeOf() change: Change,
    @CurrentCaller() caller: Caller,
  ): Promise<VersionView> {
    const { stage, reason, force = false } = checked(PromoteRequest, body, 'body');
    const [name, number] = [modelName(model, 'model'), versionNumber(version, 'version')];
    return this.views.version(
      await this.stages.move(name, number, stage, { ...change, ...reasonText(reason), force, mayTouchProduction: caller.may('promote') }),
    );
  }

  @Post(':model/rollback')
  @Scope('promote')
  @HttpCode(200)
  @UseInterceptors(JsonBodyInterceptor)
  @MODEL
  @ApiChange()
  @ApiOperation({
    summary: 'Bring back what was in production before',
    description: 'Loaded and warm before it takes over. Once more goes one version further back.',
  })
  @ApiBody({ type: RollbackRequest, examples: { why: { value: { reason: 'wrong since the upgrade of the feed' } } } })
  @ApiOkResponse({ type: VersionView, description: 'The version that is in production now' })
  @Refuses(BAD_NAME, ...UNREADABLE, NO_MODEL, new NothingToRollBack('iris'), ...UNCHANGEABLE, ...UNLOADABLE)
  async rollback(@Param('model') model: string, @Body() body: RollbackRequest, @ChangeOf() change: Change): Promise<VersionView> {
    const { reason } = checked(RollbackRequest, body, 'body');
    return this.views.version(await this.stages.rollback(modelName(model, 'model'), { ...change, ...reasonText(reason) }));
  }

  @Patch(':model')
  @Scope('models:write')
  @UseInterceptors(JsonBodyInterceptor)
  @MODEL
  @ApiChange()
  @ApiOperation({ summary: 'Describe a model', description: 'What is left out stays as it is.' })
  @ApiBody({ type: DescribeRequest, examples: { both: { value: { description: 'Species of an iris', tags: ['example'] } } } })
  @ApiOkResponse({ type: ModelView })
  @Refuses(BAD_NAME, ...UNREADABLE, NO_MODEL, ...UNCHANGEABLE)
  async describe(@Param('model') model: string, @Body() body: DescribeRequest, @ChangeOf() change: Change): Promise<ModelView> {
    const said = checked(DescribeRequest, body, 'body');
    return this.views.model(await this.description.describe(modelName(model, 'model'), said, change));
  }

  @Put(':model/aliases/:alias')
  @Scope('models:write')
  @UseInterceptors(JsonBodyInterceptor)
  @MODEL
  @ALIAS
  @ApiChange()
  @ApiOperation({ summary: 'Point an alias at a version', description: '`production` always follows the stage and cannot be set.' })
  @ApiOkResponse({ type: VersionView })
  @Refuses(BAD_NAME, ...UNREADABLE, NO_MODEL, NO_VERSION, ...UNCHANGEABLE)
  async setAlias(
    @Param('model') model: string,
    @Param('alias') alias: string,
    @Body() body: AliasRequest,
    @ChangeOf() change: Change,
  ): Promise<VersionView> {
    const { version } = checked(AliasRequest, body, 'body');
    const [name, called] = [modelName(model, 'model'), aliasName(alias, 'alias')];
    return this.views.version(await this.description.setAlias(name, called, version, change));
  }

  @Delete(':model/aliases/:alias')
  @Scope('models:write')
  @HttpCode(204)
  @MODEL
  @ALIAS
  @ApiChange()
  @ApiOperation({ summary: 'Remove an alias' })
  @ApiNoContentResponse()
  @Refuses(BAD_NAME, NO_MODEL, new AliasNotFound('iris', 'champion', []), ...UNCHANGEABLE)
  removeAlias(@Param('model') model: string, @Param('alias') alias: string, @ChangeOf() change: Change): Promise<void> {
    return this.description.removeAlias(modelName(model, 'model'), aliasName(alias, 'alias'), change);
  }
}
