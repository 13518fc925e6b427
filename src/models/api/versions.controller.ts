import { Controller, Get, Param, Res, StreamableFile, UseInterceptors } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { Scope } from '../../auth/scope.decorator';
import { Refuses } from '../../errors/refuses.decorator';
import { BlobMissing } from '../../storage/storage.errors';
import { modelName, versionNumber } from '../model-name';
import { RegistryState } from '../registry/registry-state';
import { ModelArtifact } from './model-artifact';
import { ModelEtagInterceptor } from './model-etag.interceptor';
import { VersionView } from './version-view';
import { BAD_NAME, NO_MODEL, NO_VERSION } from './refusals';
import { VersionViews } from './version-views';

const MODEL = ApiParam({ name: 'model', type: String, example: 'iris' });
const VERSION = ApiParam({ name: 'version', example: 1, type: Number });

/** What a version is, and its files. */
@ApiTags('models')
@Controller('api/v1/models')
export class VersionsController {
  constructor(
    private readonly state: RegistryState,
    private readonly views: VersionViews,
    private readonly artifacts: ModelArtifact,
  ) {}

  @Get(':model/versions/:version')
  @Scope('models:read')
  @UseInterceptors(ModelEtagInterceptor)
  @MODEL
  @VERSION
  @ApiOperation({ summary: 'A version: signature, digest, metadata' })
  @ApiOkResponse({ type: VersionView })
  @Refuses(BAD_NAME, NO_MODEL, NO_VERSION)
  describeVersion(@Param('model') model: string, @Param('version') version: string): VersionView {
    return this.views.version(this.state.requireVersion(modelName(model, 'model'), versionNumber(version, 'version')));
  }

  @Get(':model/versions/:version/artifact')
  @Scope('models:read')
  @MODEL
  @VERSION
  @ApiOperation({ summary: 'The files of a version', description: 'One as itself, several as a tar.gz that can be uploaded again.' })
  @ApiOkResponse({
    description: 'The bytes; `ETag` is the digest of the version',
    content: {
      'application/octet-stream': { schema: { type: 'string', format: 'binary' }, example: 'the bytes of an ONNX file' },
      'application/gzip': { schema: { type: 'string', format: 'binary' }, example: 'the bytes of a tar.gz' },
    },
  })
  @Refuses(BAD_NAME, NO_MODEL, NO_VERSION, new BlobMissing('9f86d081884c7d65'))
  async artifact(
    @Param('model') model: string,
    @Param('version') version: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<StreamableFile> {
    const record = this.state.requireVersion(modelName(model, 'model'), versionNumber(version, 'version'));
    const { content, type, fileName, bytes } = await this.artifacts.open(record);
    response.setHeader('ETag', `"${record.digest}"`);
    return new StreamableFile(content, {
      type,
      disposition: `attachment; filename="${fileName}"`,
      ...(bytes !== undefined && { length: bytes }),
    });
  }
}
