import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { RegistryJournal } from '../models/registry/registry-journal';
import { StorageKeeper } from '../storage/storage-keeper.service';

/** Whether the registry takes changes, and what the file system under it can do. Predictions do not depend on it. */
@Injectable()
export class StorageIndicator {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly journal: RegistryJournal,
    private readonly keeper: StorageKeeper,
  ) {}

  check(): HealthIndicatorResult<'storage'> {
    const session = this.health.check('storage');
    const reason = this.journal.readOnlyReason;
    const fileSystem = this.keeper.selfTest;
    return reason === undefined ? session.up({ writable: true, fileSystem }) : session.degraded({ writable: false, reason, fileSystem });
  }
}
