import { randomUUID } from 'node:crypto';
import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { CronJob } from 'cron';
import { BackupConfig } from '../../config/app-config';
import { CorrelationContext } from '../../logging/correlation-context';
import { BackupJournal } from '../backup-journal';
import { BackupRunner } from './backup-runner';
import { CronSchedule } from './cron-schedule';

const NAME = 'backup';
/** A timer may sleep with the machine, and clocks are set: so now and then somebody looks whether one is due. */
const WATCH_MS = 60_000;
/** Replicas wait up to so long by chance, of the interval and at most: who comes second finds it done. */
const JITTER_SHARE = 0.05;
const MAX_JITTER_MS = 60_000;
/** The library gives up a tick that comes later than this; here nothing is ever too late. */
const NEVER_TOO_LATE_MS = 365 * 86_400_000;

/** When a backup runs, and nothing else: never twice at once, never cut off by shutdown, never silent, and once where some were missed. */
@Injectable()
export class BackupJob implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(BackupJob.name);
  private readonly schedule: CronSchedule | undefined;
  private readonly stopping = new AbortController();
  private readonly startedAt = Date.now();
  private watch: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private busy = false;
  /** What was due up to then has been dealt with by this process, whatever came of it. */
  private handled = 0;

  constructor(
    config: BackupConfig,
    private readonly scheduler: SchedulerRegistry,
    private readonly journal: BackupJournal,
    private readonly runner: BackupRunner,
  ) {
    this.schedule = CronSchedule.of(config);
  }

  onApplicationBootstrap(): void {
    if (this.schedule === undefined) return this.logger.warn('backups are not scheduled');
    const { expression: cronTime, zone: timeZone } = this.schedule;
    const job = CronJob.from({
      cronTime,
      timeZone,
      onTick: () => this.tick(),
      start: true,
      threshold: NEVER_TOO_LATE_MS,
      unrefTimeout: true,
    });
    this.scheduler.addCronJob(NAME, job);
    this.watch = setInterval(() => void this.look(), WATCH_MS).unref();
    void this.look(); // one may have been missed while nothing ran
  }

  /** What runs is waited for; what only waits its turn by chance is left to the next start. */
  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.watch);
    if (this.scheduler.doesExist('cron', NAME)) this.scheduler.deleteCronJob(NAME);
    this.stopping.abort();
    await this.looking;
  }

  /** The time has come. Never rejects: the outcome is in the log and in the figures. */
  async tick(): Promise<void> {
    if (!this.busy) return this.look();
    this.handled = Date.now();
    await this.skip('still-running');
  }

  /** Runs a backup if one is due; one that runs is joined. Never rejects. */
  look(): Promise<void> {
    if (this.stopping.signal.aborted) return Promise.resolve();
    this.looking ??= this.runIfDue().finally(() => {
      this.looking = undefined;
    });
    return this.looking;
  }

  private async runIfDue(): Promise<void> {
    const due = this.schedule?.nextAfter(new Date(await this.since()));
    if (due === undefined || due.getTime() > Date.now()) return;
    this.handled = Date.now();
    this.busy = true;
    try {
      await CorrelationContext.run({ correlationId: `backup-${randomUUID()}` }, () => this.runInTurn(due));
    } finally {
      this.busy = false;
    }
  }

  /** A backup that is due was missed since then: the newest cut, or what this process has dealt with. Times that lie ahead say nothing. */
  private async since(): Promise<number> {
    const now = Date.now();
    const known = [this.handled, await this.lastCut(now)].filter((at) => at <= now);
    const since = Math.max(0, ...known);
    if (since === 0) this.handled = now;
    return since || now;
  }

  /** Where the backups cannot be read, the next one is due at its time all the same: it will say why it fails. */
  private async lastCut(now: number): Promise<number> {
    try {
      return (await this.journal.lastCut(new Date(now))).getTime();
    } catch {
      return this.startedAt;
    }
  }

  private async runInTurn(due: Date): Promise<void> {
    if (!(await this.waited())) return this.skip('stopping');
    const now = Date.now();
    const cut = await this.lastCut(now);
    // a replica was faster; what is ahead of now was made by another clock
    if (cut >= due.getTime() && cut <= now) return this.skip('made-elsewhere');
    await this.runner.run('schedule', 'schedule');
  }

  /** @returns false where the service stops meanwhile */
  private async waited(): Promise<boolean> {
    const ms = Math.random() * Math.min(MAX_JITTER_MS, JITTER_SHARE * (this.schedule?.intervalMs ?? 0));
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(true), ms).unref();
    this.stopping.signal.addEventListener('abort', () => resolve(false), { once: true });
    return promise.finally(() => clearTimeout(timer));
  }

  private async skip(reason: string): Promise<void> {
    this.logger.warn('backup skipped', { reason });
    await this.journal.record({ outcome: 'skipped', phase: 'waiting', reason, objects: [] });
  }
}
