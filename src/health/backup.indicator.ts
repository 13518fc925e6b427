import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { BackupJournal } from '../backup/backup-journal';
import { DrillJournal } from '../backup/drill/drill-journal';

/** Whether what would be lost now is little, what is saved is whole, and comes back. Nothing that is served depends on it. */
@Injectable()
export class BackupIndicator {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly journal: BackupJournal,
    private readonly drills: DrillJournal,
  ) {}

  async check(): Promise<HealthIndicatorResult<'backup'>> {
    const session = this.health.check('backup');
    try {
      const figures = await this.journal.figures();
      const drill = await this.drills.figures();
      const worries = [...this.journal.worries(figures), ...this.drills.worries(drill)];
      const known = { ...figures, lastRun: this.journal.lastRun, drill };
      return worries.length > 0 ? session.degraded({ worries, ...known }) : session.up(known);
    } catch (error) {
      return session.degraded({ worries: [`the backups cannot be read: ${error instanceof Error ? error.message : String(error)}`] });
    }
  }
}
