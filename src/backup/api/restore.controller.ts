import { Body, Controller, Headers, HttpCode, Param, Post, UseInterceptors } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { Forbidden } from '../../auth/auth.errors';
import { type Caller, CurrentCaller } from '../../auth/caller';
import { Scope } from '../../auth/scope.decorator';
import { Refuses } from '../../errors/refuses.decorator';
import { modelName } from '../../models/model-name';
import { ReadOnly } from '../../storage/storage.errors';
import { checked } from '../../wire/checked';
import { JsonBodyInterceptor } from '../../wire/json-body.interceptor';
import { MalformedBody } from '../../wire/wire.errors';
import {
  ConfirmationRequired,
  NotInSnapshot,
  RestoreConflict,
  RestoreDamaged,
  RestoreNotServable,
  RestoreOvertaken,
  RestorePlanOutdated,
} from '../restore/restore.errors';
import type { RestoreOptions, RestoreOutcome, RestorePlan } from '../restore/restore-plan';
import { Restorer } from '../restore/restorer';
import { SnapshotSources } from '../restore/restore-source';
import { SnapshotInventory } from '../snapshot/snapshot-inventory';
import type { SnapshotId } from '../snapshot/snapshot-records';
import { SnapshotFailed, SnapshotNoSpace } from '../snapshot/snapshot.errors';
import { chosenSnapshot } from './chosen-snapshot';
import { RestoreRequest, RestoreView } from './dto/restore.dto';
import { BAD_ID, NO_SNAPSHOT, UNREADABLE, UNREADABLE_SNAPSHOT, UNSIGNED, UNWRITABLE } from './refusals';

const SNAPSHOT = '20261123T030000Z-42-0f3a';
const OBJECT = 'blobs/sha256/9f/9f86d081884c7d65';
const FAILURE = { phase: 'copying', reason: 'disk', detail: 'EIO: i/o error, read', errno: 'EIO', objects: [] } as const;

/** Makes the registry what a snapshot says. */
@ApiTags('backups')
@Controller('api/v1/backups')
export class RestoreController {
  constructor(
    private readonly inventory: SnapshotInventory,
    private readonly sources: SnapshotSources,
    private readonly restorer: Restorer,
  ) {}

  @Post(':id/restore')
  @Scope('backup:restore')
  @HttpCode(200)
  @UseInterceptors(JsonBodyInterceptor)
  @ApiParam({
    name: 'id',
    type: String,
    example: 'latest',
    description: 'Of a snapshot; `latest`: of the newest that no restore took for safety',
  })
  @ApiHeader({ name: 'X-Confirm', required: false, description: `The snapshot's own id, also where the path says \`latest\`: ${SNAPSHOT}` })
  @ApiOperation({
    summary: 'Restore a snapshot',
    description:
      'The registry, a model or a version of it becomes what it was, by one event: before it everybody is answered as before, after it as then. Everything is read and checked first, what will be in production is loaded, and a snapshot of what is there is taken. `dryRun`: only say what would be done.',
  })
  @ApiBody({ type: RestoreRequest, examples: { plan: { value: { dryRun: true } }, model: { value: { dryRun: true, model: 'iris' } } } })
  @ApiOkResponse({ type: RestoreView })
  @Refuses(
    BAD_ID,
    ...UNREADABLE,
    NO_SNAPSHOT,
    new ConfirmationRequired(SNAPSHOT, undefined),
    new NotInSnapshot(SNAPSHOT, 'iris', 7),
    UNSIGNED,
    ...UNREADABLE_SNAPSHOT,
    new RestoreDamaged(SNAPSHOT, [{ path: OBJECT, detail: 'it is not there' }], [{ model: 'iris', version: 2 }]),
    new RestoreConflict([{ model: 'iris', what: 'production', here: 'version 3', wanted: 'version 1' }]),
    new RestoreNotServable([{ model: 'iris', version: 1, reason: 'the engine refuses it' }]),
    new RestorePlanOutdated(57, 58),
    new RestoreOvertaken(20),
    new SnapshotFailed(FAILURE),
    new SnapshotNoSpace(FAILURE),
    new ReadOnly('the disk did not confirm the last event'),
    ...UNWRITABLE,
  )
  async restore(
    @Param('id') id: string,
    @Body() body: RestoreRequest,
    @CurrentCaller() caller: Caller,
    @Headers('x-confirm') confirmation?: string,
  ): Promise<RestoreView> {
    const { dryRun = false, allowUnsigned = false, ...options } = checked(RestoreRequest, body, 'body');
    refuseNonsense(options);
    if (options.model === undefined ? !caller.mayUseAll : !caller.mayUse(options.model)) throw new Forbidden();
    const { id: chosen } = await chosenSnapshot(this.inventory, id, 'to-restore');
    if (!dryRun && confirmation !== chosen) throw new ConfirmationRequired(chosen, confirmation);
    return new RestoreView(await this.run(chosen, { dryRun, allowUnsigned, actor: caller.actor, options }));
  }

  private async run(
    id: SnapshotId,
    { dryRun, allowUnsigned, actor, options }: { readonly dryRun: boolean; readonly allowUnsigned: boolean; readonly actor: string; readonly options: RestoreOptions }, // prettier-ignore
  ): Promise<RestorePlan | RestoreOutcome> {
    const source = await this.sources.open(id, actor, allowUnsigned);
    try {
      return await (dryRun ? this.restorer.plan(source, options) : this.restorer.restore(source, actor, options));
    } finally {
      await source.close();
    }
  }
}

/** @throws MalformedBody, InvalidName */
function refuseNonsense({ model, version, conflicts }: RestoreOptions): void {
  if (model !== undefined) modelName(model, 'body.model');
  else if (version !== undefined || conflicts !== undefined) {
    const field = version === undefined ? 'body.conflicts' : 'body.version';
    throw new MalformedBody(`${field} is of one model`, { field: 'body.model', expected: 'the name of a model', actual: 'missing' });
  }
}
