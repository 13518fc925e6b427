import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { BackupConfig } from '../../config/app-config';
import { BackupLog } from '../../storage/event-log.port';
import { FollowedLog } from '../followed-log';
import { CronSchedule } from '../schedule/cron-schedule';
import { BackupHistory } from '../snapshot/backup-history';
import { type DrillFigures, drillFiguresOf, type DrillRunOutcome, drillWorriesOf } from './drill-figures';
import { DrillRuns } from './drill-runs';
import { DrillMetrics } from './drill.metrics';

const EVERY_MS = 15_000;

/** What is known of drills, by whatever process: derived from the log of `backups/`. */
@Injectable()
export class DrillJournal implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(DrillJournal.name);
  /** Undefined where it is off. */
  readonly schedule: CronSchedule | undefined;
  private readonly history = new BackupHistory();
  private readonly runs = new DrillRuns();
  private readonly log: FollowedLog;
  private last: DrillRunOutcome | undefined;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private failing = false;

  constructor(
    private readonly config: BackupConfig,
    log: BackupLog,
    private readonly metrics: DrillMetrics,
  ) {
    this.schedule = CronSchedule.of({ schedule: config.drillSchedule, timezone: config.timezone });
    this.log = new FollowedLog(log, (entry) => {
      this.history.apply(entry);
      this.runs.apply(entry.event);
    });
  }

  onApplicationBootstrap(): void {
    void this.tick();
    this.timer = setInterval(() => void this.tick(), EVERY_MS).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** @throws LogDamaged; the error of the disk */
  async figures(now = new Date()): Promise<DrillFigures> {
    await this.log.readOn();
    const { rtoTargetSeconds } = this.config;
    return drillFiguresOf([...this.history.snapshots.values()], this.runs, {
      now,
      intervalMs: this.schedule?.intervalMs,
      rtoTargetSeconds,
    });
  }

  /** What people should look at; empty where all is well. */
  worries(figures: DrillFigures): readonly string[] {
    return drillWorriesOf(figures, this.last);
  }

  /** When the last run ended, good or not; before the first, when there began to be something to drill. @throws as `figures` */
  async lastDone(now: Date): Promise<Date> {
    await this.log.readOn();
    const [first] = this.history.snapshots.values();
    const at = this.runs.last?.at ?? first?.finishedAt;
    return at === undefined ? now : new Date(at);
  }

  /** A run of this process has ended, or one that was due was not begun. */
  async record(outcome: DrillRunOutcome): Promise<void> {
    this.metrics.count(outcome);
    if (outcome.outcome === 'skipped') return;
    this.last = outcome;
    await this.tick();
  }

  /** Brings the figures of Prometheus up to date. One that runs is joined. Never rejects; a failure is logged once until it is over. */
  tick(): Promise<void> {
    this.running ??= this.refresh().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async refresh(): Promise<void> {
    try {
      this.metrics.show(await this.figures());
      this.failing = false;
    } catch (error) {
      if (!this.failing) this.logger.error('the drills cannot be looked at', { err: error });
      this.failing = true;
    }
  }
}
