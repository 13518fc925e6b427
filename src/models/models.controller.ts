import { Controller, Get, Param, Post, Query, Req, Res, StreamableFile } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Scope } from '../auth/scope.decorator';
import { Refuses } from '../errors/refuses.decorator';
import { ImportDeadlineExceeded, InvalidValue, ModelRefused, NumberNotRepresentable } from '../runtime/runtime.errors';
import { BlobMissing, CommitUncertain, NoSpace, ReadOnly, SourceTooLarge } from '../storage/storage.errors';
import {
  ArchiveRefused,
  ArchiveTooLarge,
  MalformedBody,
  MalformedJson,
  MalformedMultipart,
  UnsupportedMediaType,
} from '../wire/wire.errors';
import { HistoryView } from './dto/history.dto';
import { UploadForm } from './dto/upload.dto';
import { ModelArtifact } from './model-artifact';
import { ModelHistory } from './model-history';
import { modelName, pageSize, versionNumber } from './model-name';
import { ModelRegistry } from './model-registry.service';
import { ModelList, ModelView, VersionView } from './model-view';
import {
  GoldenMismatch,
  InvalidName,
  MetadataMismatch,
  ModelNotFound,
  UploadIncomplete,
  VersionNotFound,
  VersionTaken,
} from './models.errors';
import { RegistryState } from './registry-state';
import { UploadReader } from './upload-reader';
import { VersionViews } from './version-views';

const ACTOR = 'anonymous';
const BAD_NAME = new InvalidName('model', 'a name', 'Iris!');
const MODEL = ApiParam({ name: 'model', type: String, example: 'iris' });
const VERSION = ApiParam({ name: 'version', example: 1, type: Number });

@ApiTags('models')
@Controller('api/v1/models')
export class ModelsController {
  constructor(
    private readonly registry: ModelRegistry,
    private readonly state: RegistryState,
    private readonly uploads: UploadReader,
    private readonly views: VersionViews,
    private readonly events: ModelHistory,
    private readonly artifacts: ModelArtifact,
  ) {}

  @Post()
  @Scope('models:write')
  @ApiOperation({
    summary: 'Upload a version',
    description: 'An equal file with equal metadata again answers 200 with the version that is there.',
  })
  @ApiConsumes('multipart/form-data')
  @ApiBody({ type: UploadForm })
  @ApiCreatedResponse({ type: VersionView, description: 'The new version; `Location` is its address' })
  @ApiOkResponse({ type: VersionView, description: 'An equal version was there already' })
  @Refuses(
    new UploadIncomplete('file', 'one file', 'missing'),
    BAD_NAME,
    new MalformedMultipart('Unexpected end of multipart data'),
    new MalformedJson('Unexpected end of JSON input'),
    new MalformedBody('There is no part "nmae"', { field: 'nmae', expected: 'one of file, name, metadata, stage, version' }),
    new VersionTaken('iris', 1),
    new SourceTooLarge(2_147_483_648),
    new ArchiveTooLarge('archive', 'at most 1000 entries', '1001 entries'),
    new ArchiveRefused('../model.onnx', 'a relative path without ..', '../model.onnx'),
    new UnsupportedMediaType('Content-Type', 'multipart/form-data', 'text/plain'),
    new ModelRefused('Protobuf parsing failed.'),
    new ImportDeadlineExceeded(30),
    new MetadataMismatch({ field: 'metadata.featureNames', expected: '4 names', actual: '3 names' }),
    new GoldenMismatch('metadata.golden[0].outputs.probabilities[0][2]', '0.98', '0.71'),
    new InvalidValue('metadata.golden[0].inputs.features[0][1]', 'a number', 'wide'),
    new NumberNotRepresentable('metadata.golden[0].inputs.features[0][1]', 'a number that FP32 can hold', 1e300),
    new CommitUncertain(7),
    new ReadOnly('the file system lacks what the registry needs'),
    new NoSpace(),
  )
  async upload(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<VersionView> {
    const { record, created } = await this.registry.publish(await this.uploads.read(request), ACTOR);
    response.status(created ? 201 : 200).location(`/api/v1/models/${record.model}/versions/${record.version}`);
    return this.views.version(record);
  }

  @Get()
  @Scope('models:read')
  @ApiOperation({ summary: 'List the models' })
  @ApiOkResponse({ type: ModelList })
  list(): ModelList {
    return new ModelList(this.state.list());
  }

  @Get(':model')
  @Scope('models:read')
  @MODEL
  @ApiOperation({ summary: 'A model and its versions' })
  @ApiOkResponse({ type: ModelView })
  @Refuses(BAD_NAME, new ModelNotFound('iris'))
  describe(@Param('model') model: string, @Res({ passthrough: true }) response: Response): ModelView {
    const record = this.state.require(modelName(model, 'model'));
    response.setHeader('ETag', this.views.etag(record.name));
    return this.views.model(record);
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
  @Refuses(BAD_NAME, new ModelNotFound('iris'), new VersionNotFound('iris', 9, [1, 2]), new BlobMissing('9f86d081884c7d65'))
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

  @Get(':model/history')
  @Scope('models:read')
  @MODEL
  @ApiQuery({ name: 'limit', required: false, type: Number, description: 'How many events at most, 1 to 1000; default 100' })
  @ApiQuery({ name: 'before', required: false, type: Number, description: 'Only events with a lesser number: `next` of the page before' })
  @ApiOperation({ summary: 'What happened to a model', description: 'Every event: who did what when, and why. The newest first.' })
  @ApiOkResponse({ type: HistoryView })
  @Refuses(BAD_NAME, new ModelNotFound('iris'))
  async history(@Param('model') model: string, @Query('limit') limit = '100', @Query('before') before?: string): Promise<HistoryView> {
    const start = before === undefined ? undefined : versionNumber(before, 'before');
    const { events, next } = await this.events.page(modelName(model, 'model'), pageSize(limit), start);
    return new HistoryView(events, next);
  }

  @Get(':model/versions/:version')
  @Scope('models:read')
  @MODEL
  @VERSION
  @ApiOperation({ summary: 'A version: signature, digest, metadata' })
  @ApiOkResponse({ type: VersionView })
  @Refuses(BAD_NAME, new ModelNotFound('iris'), new VersionNotFound('iris', 9, [1, 2]))
  describeVersion(@Param('model') model: string, @Param('version') version: string): VersionView {
    return this.views.version(this.state.requireVersion(modelName(model, 'model'), versionNumber(version, 'version')));
  }
}
