import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { ScheduledRuns } from '../schedule/scheduled-runs';
import { DrillJournal } from './drill-journal';
import { DrillRunner } from './drill-runner';

/** Runs a drill when it is due. */
@Injectable()
export class DrillJob implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(DrillJob.name);
  private readonly runs: ScheduledRuns | undefined;

  constructor(scheduler: SchedulerRegistry, journal: DrillJournal, runner: DrillRunner) {
    const { schedule } = journal;
    this.runs =
      schedule &&
      new ScheduledRuns(schedule, scheduler, {
        name: 'drill',
        lastDone: (now) => journal.lastDone(now),
        run: () => runner.run(),
        skipped: (reason) => runner.skipped(reason),
      });
  }

  onApplicationBootstrap(): void {
    if (this.runs === undefined) this.logger.warn('drills are not scheduled');
    else this.runs.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.runs?.stop();
  }
}
