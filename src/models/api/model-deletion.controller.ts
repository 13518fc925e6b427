import { Controller, Delete, HttpCode, Param, Post, Query, UseInterceptors } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import { Scope } from '../../auth/scope.decorator';
import { Refuses } from '../../errors/refuses.decorator';
import { BytesCollected, NotDeleted, VersionInUse } from '../registry/registry.errors';
import { modelName, reasonText, versionNumber } from '../model-name';
import type { Change } from '../registry/registry-changes';
import { VersionDeletion } from '../registry/version-deletion';
import { ApiChange, ChangeOf } from './change-of.decorator';
import { ModelEtagInterceptor } from './model-etag.interceptor';
import { ModelView } from './model-view';
import { VersionView } from './version-view';
import { BAD_NAME, NO_MODEL, NO_VERSION, UNCHANGEABLE } from './refusals';
import { VersionViews } from './version-views';

const MODEL = ApiParam({ name: 'model', type: String, example: 'iris' });
const VERSION = ApiParam({ name: 'version', example: 2, type: Number }); // 1, that of the first start, is in production
const REASON = ApiQuery({ name: 'reason', required: false, type: String, description: 'Why, for the history; at most 1024 characters' });
const IN_USE = new VersionInUse('iris', 2, 'it is in production', 'Archive it, or promote another one, first');

/** Takes versions and models away, and brings them back. */
@ApiTags('models')
@Controller('api/v1/models')
@UseInterceptors(ModelEtagInterceptor)
export class ModelDeletionController {
  constructor(
    private readonly deletion: VersionDeletion,
    private readonly views: VersionViews,
  ) {}

  @Delete(':model')
  @Scope('models:write')
  @HttpCode(204)
  @MODEL
  @REASON
  @ApiChange()
  @ApiOperation({
    summary: 'Delete a model',
    description: 'With all its versions. Refused while one is in production or has an alias. It can be undeleted for UNDELETE_DAYS.',
  })
  @ApiNoContentResponse()
  @Refuses(BAD_NAME, NO_MODEL, IN_USE, ...UNCHANGEABLE)
  deleteModel(@Param('model') model: string, @ChangeOf() change: Change, @Query('reason') reason?: string): Promise<void> {
    return this.deletion.deleteModel(modelName(model, 'model'), { ...change, ...reasonText(reason) });
  }

  @Post(':model/undelete')
  @Scope('models:write')
  @HttpCode(200)
  @MODEL
  @REASON
  @ApiChange()
  @ApiOperation({ summary: 'Bring a deleted model back', description: 'With the versions that went with it, each in the stage it had.' })
  @ApiOkResponse({ type: ModelView })
  @Refuses(BAD_NAME, NO_MODEL, new NotDeleted('iris'), new BytesCollected('iris', [1, 2]), ...UNCHANGEABLE)
  async undeleteModel(@Param('model') model: string, @ChangeOf() change: Change, @Query('reason') reason?: string): Promise<ModelView> {
    return this.views.model(await this.deletion.undeleteModel(modelName(model, 'model'), { ...change, ...reasonText(reason) }));
  }

  @Delete(':model/versions/:version')
  @Scope('models:write')
  @HttpCode(204)
  @MODEL
  @VERSION
  @REASON
  @ApiChange()
  @ApiOperation({
    summary: 'Delete a version',
    description: 'Refused while it is in production, an alias points at it, or calls run on it. It can be undeleted for UNDELETE_DAYS.',
  })
  @ApiNoContentResponse()
  @Refuses(BAD_NAME, NO_MODEL, NO_VERSION, IN_USE, ...UNCHANGEABLE)
  deleteVersion(
    @Param('model') model: string,
    @Param('version') version: string,
    @ChangeOf() change: Change,
    @Query('reason') reason?: string,
  ): Promise<void> {
    const [name, number] = [modelName(model, 'model'), versionNumber(version, 'version')];
    return this.deletion.deleteVersion(name, number, { ...change, ...reasonText(reason) });
  }

  @Post(':model/versions/:version/undelete')
  @Scope('models:write')
  @HttpCode(200)
  @MODEL
  @VERSION
  @REASON
  @ApiChange()
  @ApiOperation({ summary: 'Bring a deleted version back', description: 'In the stage in which it was.' })
  @ApiOkResponse({ type: VersionView })
  @Refuses(BAD_NAME, NO_MODEL, NO_VERSION, new NotDeleted('iris', 2), new BytesCollected('iris', [2]), ...UNCHANGEABLE)
  async undeleteVersion(
    @Param('model') model: string,
    @Param('version') version: string,
    @ChangeOf() change: Change,
    @Query('reason') reason?: string,
  ): Promise<VersionView> {
    const [name, number] = [modelName(model, 'model'), versionNumber(version, 'version')];
    return this.views.version(await this.deletion.undeleteVersion(name, number, { ...change, ...reasonText(reason) }));
  }
}
