import { Controller, Get, Param, Post, Query, Res, StreamableFile } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { Forbidden } from '../../auth/auth.errors';
import { type Caller, CurrentCaller } from '../../auth/caller';
import { Scope } from '../../auth/scope.decorator';
import { Refuses } from '../../errors/refuses.decorator';
import { checked } from '../../wire/checked';
import { MalformedBody } from '../../wire/wire.errors';
import { ArchiveExport } from '../export/archive-export';
import { BackupRunner } from '../schedule/backup-runner';
import { SnapshotInventory } from '../snapshot/snapshot-inventory';
import { SnapshotManifests } from '../snapshot/snapshot-manifests';
import { SnapshotFailed, SnapshotNoSpace } from '../snapshot/snapshot.errors';
import { chosenSnapshot, modelsIn } from './chosen-snapshot';
import { ListSnapshotsQuery } from './dto/list-snapshots.query';
import { SnapshotContentView, SnapshotList, SnapshotView } from './dto/snapshot-view';
import { BAD_ID, LOG_BROKEN, NO_SNAPSHOT, UNREADABLE_SNAPSHOT } from './refusals';

const ID = ApiParam({ name: 'id', type: String, example: 'latest', description: 'Of a snapshot; `latest`: of the newest' });
const FAILURE = { phase: 'copying', reason: 'disk', detail: 'EIO: i/o error, read', errno: 'EIO', objects: [] } as const;

/** Snapshots: taken, listed, given away. */
@ApiTags('backups')
@Controller('api/v1/backups')
export class BackupsController {
  constructor(
    private readonly inventory: SnapshotInventory,
    private readonly manifests: SnapshotManifests,
    private readonly runner: BackupRunner,
    private readonly archives: ArchiveExport,
  ) {}

  @Post()
  @Scope('backup:run')
  @ApiOperation({
    summary: 'Take a snapshot',
    description:
      'Answers when all of it is safe. Only what is not there yet is written. Where one is being taken already, this waits its turn.',
  })
  @ApiCreatedResponse({ type: SnapshotView, description: 'The new snapshot; `Location` is its address' })
  @Refuses(new SnapshotFailed(FAILURE), new SnapshotNoSpace(FAILURE))
  async run(@CurrentCaller() { actor }: Caller, @Res({ passthrough: true }) response: Response): Promise<SnapshotView> {
    const record = await this.runner.take(actor);
    response.location(`/api/v1/backups/${record.id}`);
    return new SnapshotView(record);
  }

  @Get()
  @Scope('backup:run', 'backup:restore')
  @ApiOperation({ summary: 'List the snapshots', description: 'The newest first. The disk is looked at: what it lacks is in `damaged`.' })
  @ApiOkResponse({ type: SnapshotList })
  @Refuses(new MalformedBody('There is no query.all', { field: 'query.all', expected: 'absent' }))
  async list(@Query() query: ListSnapshotsQuery): Promise<SnapshotList> {
    const asked = checked(ListSnapshotsQuery, query, 'query');
    const snapshots = await this.inventory.list();
    return new SnapshotList(asked.deleted === 'true' ? snapshots : snapshots.filter(({ deleted }) => deleted === undefined));
  }

  @Get(':id')
  @Scope('backup:run', 'backup:restore')
  @ID
  @ApiOperation({ summary: 'A snapshot, and the models in it' })
  @ApiOkResponse({ type: SnapshotContentView })
  @Refuses(BAD_ID, NO_SNAPSHOT)
  async describe(@Param('id') id: string, @CurrentCaller() caller: Caller): Promise<SnapshotContentView> {
    const record = await chosenSnapshot(this.inventory, id);
    const models = await modelsIn(this.manifests, record.id);
    return new SnapshotContentView(
      record,
      models?.filter(({ name }) => caller.mayUse(name)),
    );
  }

  @Get(':id/archive')
  @Scope('backup:run', 'backup:restore')
  @ID
  @ApiOperation({
    summary: 'A snapshot as one file',
    description:
      'A `.tar.gz` that every tar opens: models under their names and versions, the log, and `SHA256SUMS`. For a key of all models.',
  })
  @ApiOkResponse({
    description: 'The same bytes each time',
    content: { 'application/gzip': { schema: { type: 'string', format: 'binary' }, example: 'the bytes of a tar.gz' } },
  })
  @Refuses(BAD_ID, NO_SNAPSHOT, LOG_BROKEN, ...UNREADABLE_SNAPSHOT)
  async archive(
    @Param('id') id: string,
    @CurrentCaller() caller: Caller,
    @Res({ passthrough: true }) response: Response,
  ): Promise<StreamableFile> {
    if (!caller.mayUseAll) throw new Forbidden();
    const { content, fileName } = await this.archives.open((await chosenSnapshot(this.inventory, id)).id);
    const file = new StreamableFile(content, { type: 'application/gzip', disposition: `attachment; filename="${fileName}"` });
    return file.setErrorHandler((error) => void (response.headersSent ? response.destroy(error) : response.req.next?.(error)));
  }
}
