import { Controller, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { addressOf } from '../../auth/address';
import { type Caller, callerOf, CurrentCaller } from '../../auth/caller';
import { Scope } from '../../auth/scope.decorator';
import { Refuses } from '../../errors/refuses.decorator';
import { ImportDeadlineExceeded, InvalidValue, ModelRefused, NumberNotRepresentable } from '../../runtime/runtime.errors';
import { SourceTooLarge } from '../../storage/storage.errors';
import { checked } from '../../wire/checked';
import {
  ArchiveRefused,
  ArchiveTooLarge,
  BodyTooSlow,
  MalformedBody,
  MalformedJson,
  MalformedMultipart,
  UnsupportedMediaType,
} from '../../wire/wire.errors';
import { modelName, moment, pageSize, versionNumber } from '../model-name';
import { GoldenMismatch, MetadataMismatch, TooManyUploads, UploadIncomplete, VersionTaken } from '../upload/upload.errors';
import type { Change } from '../registry/registry-changes';
import { RegistryState } from '../registry/registry-state';
import { ModelUpload } from '../upload/model-upload';
import { UploadSlots } from '../upload/upload-slots';
import { UploadReader } from '../upload/upload-reader';
import { ApiChange, ChangeOf } from './change-of.decorator';
import { HistoryView } from './dto/history.dto';
import { ListQuery } from './dto/list-query.dto';
import { UploadForm } from './dto/upload.dto';
import { ModelHistory } from './model-history';
import { pageOf } from './model-page';
import { ModelPast } from './model-past';
import { ModelList, ModelView } from './model-view';
import { VersionView } from './version-view';
import { BAD_NAME, GATES, NO_MODEL, UNCHANGEABLE, UNLOADABLE } from './refusals';
import { VersionViews } from './version-views';

const MODEL = ApiParam({ name: 'model', type: String, example: 'iris' });

@ApiTags('models')
@Controller('api/v1/models')
export class ModelsController {
  constructor(
    private readonly state: RegistryState,
    private readonly reader: UploadReader,
    private readonly slots: UploadSlots,
    private readonly uploads: ModelUpload,
    private readonly views: VersionViews,
    private readonly events: ModelHistory,
    private readonly past: ModelPast,
  ) {}

  @Post()
  @Scope('models:write')
  @ApiOperation({
    summary: 'Upload a version',
    description: 'An equal file with equal metadata again answers 200 with the version that is there.',
  })
  @ApiChange()
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
    new VersionTaken('iris', 2),
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
    new TooManyUploads(4, 'of one caller'),
    new BodyTooSlow({ maxMs: 30_000, minBytesPerSecond: 1024 }),
    ...GATES,
    ...UNCHANGEABLE,
    ...UNLOADABLE,
  )
  async upload(@Req() request: Request, @ChangeOf() change: Change, @Res({ passthrough: true }) response: Response): Promise<VersionView> {
    const caller = callerOf(request);
    const { record, created } = await this.slots.hold(caller.keyId ?? addressOf(request), async () =>
      this.uploads.accept(await this.reader.read(request, caller), change),
    );
    response.status(created ? 201 : 200).location(`/api/v1/models/${record.model}/versions/${record.version}`);
    response.setHeader('ETag', this.state.etagOf(record.model));
    return this.views.version(record);
  }

  @Get()
  @Scope('models:read')
  @ApiOperation({ summary: 'List the models', description: 'Filtered, sorted, in pages.' })
  @ApiOkResponse({ type: ModelList })
  @Refuses(
    new MalformedBody('query.sort must be one of the following values: name, -name', {
      field: 'query.sort',
      expected: 'must be one of the following values: name, -name',
      actual: '"size"',
    }),
  )
  list(@Query() query: ListQuery, @CurrentCaller() caller: Caller): ModelList {
    const asked = checked(ListQuery, query, 'query');
    const models = asked.deleted === 'true' ? this.state.listDeleted() : this.state.list();
    return this.views.list(
      pageOf(
        models.filter(({ name }) => caller.mayUse(name)),
        asked,
      ),
    );
  }

  @Get(':model')
  @Scope('models:read')
  @MODEL
  @ApiQuery({ name: 'at', required: false, type: String, description: 'How it was at that time, as 2026-11-22T12:00:00Z' })
  @ApiOperation({
    summary: 'A model and its versions',
    description: 'As they are, with the `ETag` that `If-Match` wants; or as they were.',
  })
  @ApiOkResponse({ type: ModelView })
  @Refuses(BAD_NAME, NO_MODEL)
  async describe(
    @Param('model') model: string,
    @Res({ passthrough: true }) response: Response,
    @Query('at') at?: string,
  ): Promise<ModelView> {
    const name = modelName(model, 'model');
    if (at !== undefined) return this.views.model(await this.past.modelAt(name, moment(at, 'at')));
    const record = this.state.require(name);
    response.setHeader('ETag', this.state.etagOf(name));
    return this.views.model(record);
  }

  @Get(':model/history')
  @Scope('models:read')
  @MODEL
  @ApiQuery({ name: 'limit', required: false, type: Number, description: 'How many events at most, 1 to 1000; default 100' })
  @ApiQuery({ name: 'before', required: false, type: Number, description: 'Only events with a lesser number: `next` of the page before' })
  @ApiOperation({ summary: 'What happened to a model', description: 'Every event: who did what when, and why. The newest first.' })
  @ApiOkResponse({ type: HistoryView })
  @Refuses(BAD_NAME, NO_MODEL)
  async history(@Param('model') model: string, @Query('limit') limit = '100', @Query('before') before?: string): Promise<HistoryView> {
    const start = before === undefined ? undefined : versionNumber(before, 'before');
    const { events, next } = await this.events.page(modelName(model, 'model'), pageSize(limit), start);
    return new HistoryView(events, next);
  }
}
