import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { BackupConfig } from '../../config/app-config';
import { BackupJournal } from '../backup-journal';
import { BackupRunner } from './backup-runner';
import { CronSchedule } from './cron-schedule';
import { ScheduledRuns } from './scheduled-runs';

/** Runs a backup when it is due; a shutdown waits for it. */
@Injectable()
export class BackupJob implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(BackupJob.name);
  private readonly runs: ScheduledRuns | undefined;

  constructor(config: BackupConfig, scheduler: SchedulerRegistry, journal: BackupJournal, runner: BackupRunner) {
    const schedule = CronSchedule.of(config);
    this.runs =
      schedule &&
      new ScheduledRuns(schedule, scheduler, {
        name: 'backup',
        lastDone: (now) => journal.lastCut(now),
        run: () => runner.run('schedule', 'schedule'),
        skipped: async (reason) => {
          this.logger.warn('backup skipped', { reason });
          await journal.record({ outcome: 'skipped', phase: 'waiting', reason, objects: [] });
        },
      });
  }

  onApplicationBootstrap(): void {
    if (this.runs === undefined) this.logger.warn('backups are not scheduled');
    else this.runs.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.runs?.stop();
  }
}
