import { Body, Controller, HttpCode, Post, UseInterceptors } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Caller, CurrentCaller } from '../../auth/caller';
import { Scope } from '../../auth/scope.decorator';
import { Refuses } from '../../errors/refuses.decorator';
import { InvalidName } from '../../models/models.errors';
import { checked } from '../../wire/checked';
import { JsonBodyInterceptor } from '../../wire/json-body.interceptor';
import { DrillRunner } from '../drill/drill-runner';
import { DrillStopped } from '../drill/drill.errors';
import { isSnapshotId } from '../snapshot/snapshot-records';
import { LATEST } from './chosen-snapshot';
import { DrillReportView, DrillRequest } from './dto/drill.dto';
import { BAD_ID, NO_SNAPSHOT, UNREADABLE } from './refusals';

/** Tries restores. */
@ApiTags('backups')
@Controller('api/v1/backups')
export class BackupDrillController {
  constructor(private readonly runner: DrillRunner) {}

  @Post('drill')
  @Scope('backup:run')
  @HttpCode(200)
  @UseInterceptors(JsonBodyInterceptor)
  @ApiOperation({
    summary: 'Try whether snapshots can be restored',
    description:
      'Restores into a scratch folder, loads every model in production there in an engine process of its own, compares its golden rows, and takes it all away. 200 also where something failed: `ok` says so. Where a drill runs already, this waits its turn.',
  })
  @ApiBody({ type: DrillRequest, examples: { newestAndOlder: { value: {} }, newest: { value: { id: 'latest' } } } })
  @ApiOkResponse({ type: DrillReportView })
  @Refuses(BAD_ID, NO_SNAPSHOT, ...UNREADABLE, new DrillStopped())
  async drill(@Body() body: DrillRequest, @CurrentCaller() { actor }: Caller): Promise<DrillReportView> {
    const { id, allowUnsigned = false } = checked(DrillRequest, body, 'body');
    if (id !== undefined && id !== LATEST && !isSnapshotId(id)) throw new InvalidName('id', 'the id of a snapshot, or "latest"', id);
    return new DrillReportView(await this.runner.drill({ actor, allowUnsigned, ...(id !== undefined && { id }) }));
  }
}
