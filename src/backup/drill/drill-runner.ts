import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import { SnapshotNotFound } from '../snapshot/snapshot.errors';
import { DrillJournal } from './drill-journal';
import type { DrillReport } from './drill-report';
import { DrillStopped } from './drill.errors';
import { Driller, type DrillWish } from './driller';

/** Of the time of a process that serves. */
const SHARE = 0.25;

/** Drills of a server: each is logged and counted; a shutdown ends them, as they leave nothing half done. */
@Injectable()
export class DrillRunner implements BeforeApplicationShutdown {
  private readonly logger = new Logger(DrillRunner.name);
  private readonly stopping = new AbortController();
  private readonly running = new Set<Promise<unknown>>();

  constructor(
    private readonly driller: Driller,
    private readonly journal: DrillJournal,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await Promise.allSettled(this.running);
  }

  /** @throws SnapshotNotFound, DrillStopped */
  async drill(wish: Pick<DrillWish, 'id' | 'actor' | 'allowUnsigned'>): Promise<DrillReport> {
    const running = this.driller.drill({ ...wish, share: SHARE, signal: this.stopping.signal });
    this.running.add(running);
    try {
      const report = await running;
      await this.tell(report);
      return report;
    } catch (error) {
      throw this.stopping.signal.aborted ? new DrillStopped({ cause: error }) : error;
    } finally {
      this.running.delete(running);
    }
  }

  /** As the schedule wants it. Never rejects. */
  async run(): Promise<void> {
    try {
      await this.drill({ actor: 'schedule' });
    } catch (error) {
      if (error instanceof DrillStopped) return this.skipped('stopping');
      if (error instanceof SnapshotNotFound) return this.skipped('no-snapshot');
      this.logger.error('drill failed', { err: error });
      await this.journal.record({ outcome: 'failed', failures: [{ phase: 'restoring', reason: 'unforeseen' }] });
    }
  }

  /** One that was due was not begun, or not finished. */
  async skipped(reason: string): Promise<void> {
    this.logger.warn('drill skipped', { reason });
    await this.journal.record({ outcome: 'skipped', failures: [{ phase: 'waiting', reason }] });
  }

  private async tell({ ok, ms, snapshots }: DrillReport): Promise<void> {
    for (const outcome of snapshots)
      if (outcome.ok) this.logger.log('snapshot drilled', outcome);
      else this.logger.error('drill failed', outcome);
    this.logger.log('drill done', { ok, snapshots: snapshots.length, ms });
    const failures = snapshots.flatMap(({ id, failure }) =>
      failure === undefined ? [] : [{ id, phase: failure.phase, reason: failure.reason }],
    );
    await this.journal.record({ outcome: ok ? 'completed' : 'failed', failures });
  }
}
