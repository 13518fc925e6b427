import { Body, Controller, Delete, HttpCode, Param, Post, Query, UseInterceptors } from '@nestjs/common';
import { ApiBody, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import { type Caller, CurrentCaller } from '../../auth/caller';
import { Scope } from '../../auth/scope.decorator';
import { Refuses } from '../../errors/refuses.decorator';
import { reasonText } from '../../models/model-name';
import { checked } from '../../wire/checked';
import { JsonBodyInterceptor } from '../../wire/json-body.interceptor';
import { MalformedBody } from '../../wire/wire.errors';
import { Pruner } from '../retention/pruner';
import {
  CollectionRefused,
  NewestVerified,
  PlanOutdated,
  RetentionEmpty,
  SnapshotCollected,
  SnapshotNotDeleted,
  SnapshotPinned,
} from '../retention/retention.errors';
import { BackupRunner } from '../schedule/backup-runner';
import { SnapshotInventory } from '../snapshot/snapshot-inventory';
import { SnapshotVerifier } from '../verify/snapshot-verifier';
import type { Subset } from '../verify/subset';
import { chosenSnapshot } from './chosen-snapshot';
import { PruneRequest, PruneView } from './dto/prune.dto';
import { SnapshotView } from './dto/snapshot-view';
import { VerifyReportView, VerifyRequest } from './dto/verify.dto';
import { BAD_ID, NO_SNAPSHOT, UNREADABLE, UNREADABLE_SNAPSHOT, UNSIGNED, UNWRITABLE } from './refusals';

const SNAPSHOT = '20261123T030000Z-42-0f3a';
const ID = ApiParam({ name: 'id', type: String, example: 'latest', description: 'Of a snapshot; `latest`: of the newest' });
const DELETED_ID = ApiParam({
  name: 'id',
  type: String,
  example: 'latest',
  description: 'Of a deleted snapshot; `latest`: of the one deleted last',
});
const REASON = ApiQuery({ name: 'reason', required: false, type: String, description: 'Why, for the log; at most 1024 characters' });

/** Looks at snapshots closely, takes them away, and brings them back. */
@ApiTags('backups')
@Controller('api/v1/backups')
export class BackupUpkeepController {
  constructor(
    private readonly inventory: SnapshotInventory,
    private readonly verifier: SnapshotVerifier,
    private readonly pruner: Pruner,
    private readonly runner: BackupRunner,
  ) {}

  @Post('prune')
  @Scope('backup:run')
  @HttpCode(200)
  @UseInterceptors(JsonBodyInterceptor)
  @ApiOperation({
    summary: 'Delete what the retention does not keep',
    description: 'By the settings `BACKUP_KEEP_…`; and take away what nobody needs any more. `dryRun`: only say so.',
  })
  @ApiBody({ type: PruneRequest, examples: { dryRun: { value: { dryRun: true } }, now: { value: {} } } })
  @ApiOkResponse({ type: PruneView })
  @Refuses(
    ...UNREADABLE,
    new RetentionEmpty({ last: 0, daily: 0, weekly: 0, monthly: 0 }),
    new PlanOutdated('event 7', 'event 8'),
    new CollectionRefused(SNAPSHOT),
    ...UNWRITABLE,
  )
  async prune(@Body() body: PruneRequest, @CurrentCaller() { actor }: Caller): Promise<PruneView> {
    const { dryRun = false } = checked(PruneRequest, body, 'body');
    return dryRun ? PruneView.of(await this.pruner.plan()) : new PruneView(await this.runner.prune(actor));
  }

  @Post(':id/verify')
  @Scope('backup:run', 'backup:restore')
  @HttpCode(200)
  @UseInterceptors(JsonBodyInterceptor)
  @ID
  @ApiOperation({
    summary: 'Look whether a snapshot is what it was',
    description: 'What is not is named. What came of it is in the list from then on.',
  })
  @ApiBody({ type: VerifyRequest, examples: { all: { value: {} }, part: { value: { level: 'data', subset: '3/7' } } } })
  @ApiOkResponse({ type: VerifyReportView })
  @Refuses(BAD_ID, ...UNREADABLE, NO_SNAPSHOT, UNSIGNED, ...UNREADABLE_SNAPSHOT, ...UNWRITABLE)
  async verify(@Param('id') id: string, @Body() body: VerifyRequest, @CurrentCaller() { actor }: Caller): Promise<VerifyReportView> {
    const { level = 'data', subset, allowUnsigned = false } = checked(VerifyRequest, body, 'body');
    const part = subset === undefined ? {} : { subset: subsetOf(subset, level) };
    const { id: chosen } = await chosenSnapshot(this.inventory, id);
    return new VerifyReportView(await this.verifier.verify(chosen, { level, allowUnsigned, actor, ...part }));
  }

  @Delete(':id')
  @Scope('backup:run')
  @HttpCode(204)
  @ID
  @REASON
  @ApiOperation({
    summary: 'Delete a snapshot',
    description: 'It can be undeleted until its objects are collected, a day later at the earliest. The newest verified one stays.',
  })
  @ApiNoContentResponse()
  @Refuses(BAD_ID, NO_SNAPSHOT, new NewestVerified(SNAPSHOT), new SnapshotPinned(SNAPSHOT, '2026-11-24T03:00:00.000Z'), ...UNWRITABLE)
  async deleteSnapshot(@Param('id') id: string, @CurrentCaller() { actor }: Caller, @Query('reason') reason?: string): Promise<void> {
    const { reason: why = 'by hand' } = reasonText(reason);
    await this.pruner.delete((await chosenSnapshot(this.inventory, id)).id, actor, why);
  }

  @Post(':id/undelete')
  @Scope('backup:run')
  @HttpCode(200)
  @DELETED_ID
  @ApiOperation({ summary: 'Bring a deleted snapshot back', description: 'It stays until it is deleted by hand.' })
  @ApiOkResponse({ type: SnapshotView })
  @Refuses(BAD_ID, NO_SNAPSHOT, new SnapshotNotDeleted(SNAPSHOT), new SnapshotCollected(SNAPSHOT, 3), ...UNWRITABLE)
  async undeleteSnapshot(@Param('id') id: string, @CurrentCaller() { actor }: Caller): Promise<SnapshotView> {
    const { id: chosen } = await chosenSnapshot(this.inventory, id, 'deleted');
    await this.pruner.undelete(chosen, actor);
    return new SnapshotView(await this.inventory.find(chosen));
  }
}

/** @throws MalformedBody where there is no such part */
function subsetOf(text: string, level: string): Subset {
  const [n = 0, t = 0] = text.split('/').map(Number);
  const details = { field: 'body.subset', expected: 'n/t with n at most t, of the level data', actual: JSON.stringify(text) };
  if (n > t || level !== 'data') throw new MalformedBody('There is no such part', details);
  return { n, t };
}
