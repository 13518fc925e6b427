import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { RegistryLog } from '../storage/event-log.port';

/** Whether the registry takes changes. Predictions do not depend on it. */
@Injectable()
export class StorageIndicator {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly log: RegistryLog,
  ) {}

  check(): HealthIndicatorResult<'storage'> {
    const session = this.health.check('storage');
    return this.log.uncertain ? session.degraded({ writable: false, code: 'COMMIT_UNCERTAIN' }) : session.up({ writable: true });
  }
}
