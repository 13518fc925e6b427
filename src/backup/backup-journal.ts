import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { BackupConfig } from '../config/app-config';
import { hasCode } from '../errors/has-code';
import { BackupLog, RegistryLog } from '../storage/event-log.port';
import { volumeOf } from '../storage/free-space';
import { type BackupFigures, figuresOf, type RunOutcome, worriesOf } from './backup-figures';
import { BackupMetrics } from './backup.metrics';
import { FollowedLog } from './followed-log';
import { CronSchedule } from './schedule/cron-schedule';
import { BackupHistory } from './snapshot/backup-history';
import { SnapshotInventory } from './snapshot/snapshot-inventory';
import type { SnapshotId, SnapshotRecord } from './snapshot/snapshot-records';
import type { Subset } from './verify/subset';
import { VerifyCoverage } from './verify-coverage';

const EVERY_MS = 15_000;
/** The log tells who took, verified and deleted; only a look at the disk tells what was lost behind everybody's back. */
const LOOKS_EVERY = 40;

/** What is known of the backups: derived from the log of `backups/`, so that a restart forgets nothing but how runs of this process ended. */
@Injectable()
export class BackupJournal implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(BackupJournal.name);
  private readonly schedule: CronSchedule | undefined;
  private readonly history = new BackupHistory();
  private readonly coverage = new VerifyCoverage();
  private readonly log: FollowedLog;
  private lost: ReadonlyMap<SnapshotId, readonly string[]> = new Map();
  private began: Date | undefined;
  private last: RunOutcome | undefined;
  private timer: NodeJS.Timeout | undefined;
  private ticks = 0;
  private running: Promise<void> | undefined;
  private failing = false;

  constructor(
    private readonly config: BackupConfig,
    log: BackupLog,
    private readonly registry: RegistryLog,
    private readonly inventory: SnapshotInventory,
    private readonly metrics: BackupMetrics,
  ) {
    this.schedule = CronSchedule.of(config);
    this.log = new FollowedLog(log, (entry) => {
      this.history.apply(entry);
      this.coverage.apply(entry.event);
    });
  }

  onApplicationBootstrap(): void {
    this.metrics.showStatus(true);
    void this.tick();
    this.timer = setInterval(() => void this.tick(), EVERY_MS).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** How the last run of this process ended; `undefined` before its first. One that was skipped says nothing of the backups. */
  get lastRun(): RunOutcome | undefined {
    return this.last;
  }

  /** @throws LogDamaged; the error of the disk */
  async figures(now = new Date()): Promise<BackupFigures> {
    const records = (await this.records()).map((record) => this.withLosses(record));
    const since = await this.beginning(now);
    return figuresOf(records, { now, since, intervalMs: this.schedule?.intervalMs, rpoTargetSeconds: this.config.rpoTargetSeconds });
  }

  /** What people should look at; empty where all is well. @throws as `figures` */
  worries(figures: BackupFigures): readonly string[] {
    return worriesOf(figures, this.last);
  }

  /** When the newest snapshot was made that is not dated after now, whoever took it; else when the registry began, which may be ahead of now. */
  async lastCut(now: Date): Promise<Date> {
    const cuts = (await this.records()).map(({ createdAt }) => Date.parse(createdAt)).filter((at) => at <= now.getTime());
    return cuts.length === 0 ? this.beginning(now) : new Date(Math.max(...cuts));
  }

  /** Which part of the objects is to be read next, of so many. */
  async nextPart(t: number): Promise<Subset> {
    await this.records();
    return this.coverage.next(t);
  }

  /** A run has ended. */
  async record(outcome: RunOutcome): Promise<void> {
    this.metrics.countRun(outcome);
    if (outcome.outcome === 'skipped') return;
    this.last = outcome;
    this.metrics.showStatus(outcome.outcome === 'completed');
    await this.tick();
  }

  /** Brings the figures of Prometheus up to date. One that runs is joined. Never rejects; a failure is logged once until it is over. */
  tick(): Promise<void> {
    this.running ??= this.refresh().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** Looks what the disk lacks. */
  async look(): Promise<void> {
    const found = await this.inventory.list();
    this.lost = new Map(found.flatMap(({ id, damaged }) => (damaged === undefined ? [] : [[id, damaged]])));
  }

  private async refresh(): Promise<void> {
    try {
      this.metrics.showVolume(await volumeOf(this.config.backupsDir)); // first: a log that is damaged takes room as well
      if (this.ticks++ % LOOKS_EVERY === 0) await this.look();
      const now = new Date();
      this.metrics.show(await this.figures(now), this.coverage.ratio(now));
      this.failing = false;
    } catch (error) {
      if (!this.failing) this.logger.error('the backups cannot be looked at', { err: error });
      this.failing = true;
    }
  }

  private async records(): Promise<readonly SnapshotRecord[]> {
    await this.log.readOn();
    return [...this.history.snapshots.values()];
  }

  private withLosses(record: SnapshotRecord): SnapshotRecord {
    const lost = this.lost.get(record.id);
    return lost === undefined ? record : { ...record, damaged: lost };
  }

  /** Before there was anything to lose nothing could be saved. */
  private async beginning(now: Date): Promise<Date> {
    try {
      this.began ??= new Date((await this.registry.event(1)).at);
    } catch (error) {
      if (!hasCode(error, 'LOG_DAMAGED')) throw error;
    }
    return this.began ?? now;
  }
}
