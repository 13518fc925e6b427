import { randomUUID } from 'node:crypto';
import type { SchedulerRegistry } from '@nestjs/schedule';
import { CronJob } from 'cron';
import { CorrelationContext } from '../../logging/correlation-context';
import type { CronSchedule } from './cron-schedule';

/** A timer may sleep with the machine, and clocks are set: so now and then somebody looks whether one is due. */
const WATCH_MS = 60_000;
/** Replicas wait up to so long by chance, of the interval and at most: who comes second finds it done. */
const JITTER_SHARE = 0.05;
const MAX_JITTER_MS = 60_000;
/** The library gives up a tick that comes later than this; here nothing is ever too late. */
const NEVER_TOO_LATE_MS = 365 * 86_400_000;

/** Why a run that was due was not begun. */
export type SkipReason = 'made-elsewhere' | 'still-running' | 'stopping';

/** What is done at the times of a schedule. */
export interface ScheduledWork {
  /** One word: the first part of the ids that its runs have. */
  readonly name: string;
  /** When it was done last, by whatever process; may be ahead of now. What was due since is due. */
  lastDone(now: Date): Promise<Date>;
  /** Never rejects: the outcome is in the log and in the figures. */
  run(): Promise<unknown>;
  /** One that was due was not begun. Never rejects; it has to log and to count that. */
  skipped(reason: SkipReason): Promise<void>;
}

/** When something runs, and nothing else: never twice at once, never silent, and once where some were missed. */
export class ScheduledRuns {
  private readonly stopping = new AbortController();
  private readonly startedAt = Date.now();
  private watch: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private busy = false;
  /** What was due up to then has been dealt with by this process, whatever came of it. */
  private handled = 0;

  constructor(
    private readonly schedule: CronSchedule,
    private readonly scheduler: SchedulerRegistry,
    private readonly work: ScheduledWork,
  ) {}

  start(): void {
    const { expression: cronTime, zone: timeZone } = this.schedule;
    const job = CronJob.from({
      cronTime,
      timeZone,
      onTick: () => this.tick(),
      start: true,
      threshold: NEVER_TOO_LATE_MS,
      unrefTimeout: true,
    });
    this.scheduler.addCronJob(this.work.name, job);
    this.watch = setInterval(() => void this.look(), WATCH_MS).unref();
    void this.look(); // one may have been missed while nothing ran
  }

  /** What runs is waited for; what only waits its turn by chance is left to the next start. */
  async stop(): Promise<void> {
    clearInterval(this.watch);
    if (this.scheduler.doesExist('cron', this.work.name)) this.scheduler.deleteCronJob(this.work.name);
    this.stopping.abort();
    await this.looking;
  }

  /** The time has come. Never rejects. */
  private async tick(): Promise<void> {
    if (!this.busy) return this.look();
    this.handled = Date.now();
    await this.work.skipped('still-running');
  }

  /** Begins a run if one is due; one that runs is joined. Never rejects. */
  private look(): Promise<void> {
    if (this.stopping.signal.aborted) return Promise.resolve();
    this.looking ??= this.runIfDue().finally(() => {
      this.looking = undefined;
    });
    return this.looking;
  }

  private async runIfDue(): Promise<void> {
    const due = this.schedule.nextAfter(new Date(await this.since()));
    if (due.getTime() > Date.now()) return;
    this.handled = Date.now();
    this.busy = true;
    try {
      await CorrelationContext.run({ correlationId: `${this.work.name}-${randomUUID()}` }, () => this.runInTurn(due));
    } finally {
      this.busy = false;
    }
  }

  /** One that is due was missed since then: the last one, or what this process has dealt with. Times that lie ahead say nothing. */
  private async since(): Promise<number> {
    const now = Date.now();
    const known = [this.handled, await this.lastDone(now)].filter((at) => at <= now);
    const since = Math.max(0, ...known);
    if (since === 0) this.handled = now;
    return since || now;
  }

  /** Where nobody can read when the last one was, the next one is due at its time all the same: it will say why it fails. */
  private async lastDone(now: number): Promise<number> {
    try {
      return (await this.work.lastDone(new Date(now))).getTime();
    } catch {
      return this.startedAt;
    }
  }

  private async runInTurn(due: Date): Promise<void> {
    if (!(await this.waited())) return this.work.skipped('stopping');
    const now = Date.now();
    const done = await this.lastDone(now);
    // a replica was faster; what is ahead of now was made by another clock
    if (done >= due.getTime() && done <= now) return this.work.skipped('made-elsewhere');
    await this.work.run();
  }

  /** @returns false where the service stops meanwhile */
  private async waited(): Promise<boolean> {
    const ms = Math.random() * Math.min(MAX_JITTER_MS, JITTER_SHARE * this.schedule.intervalMs);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(true), ms).unref();
    this.stopping.signal.addEventListener('abort', () => resolve(false), { once: true });
    return promise.finally(() => clearTimeout(timer));
  }
}
