import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { BackupJournal } from '../backup/backup-journal';

/** Whether what would be lost now is little, and what is saved is whole. Nothing that is served depends on it. */
@Injectable()
export class BackupIndicator {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly journal: BackupJournal,
  ) {}

  async check(): Promise<HealthIndicatorResult<'backup'>> {
    const session = this.health.check('backup');
    try {
      const figures = await this.journal.figures();
      const worries = this.journal.worries(figures);
      const { lastRun } = this.journal;
      return worries.length > 0 ? session.degraded({ worries, ...figures, lastRun }) : session.up({ ...figures, lastRun });
    } catch (error) {
      return session.degraded({ worries: [`the backups cannot be read: ${error instanceof Error ? error.message : String(error)}`] });
    }
  }
}
