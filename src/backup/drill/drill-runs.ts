import type { StoredEvent } from '../../storage/event-log.port';
import type { SnapshotDrilled } from '../snapshot/backup-history';

/** A run that came to its end. */
export interface DrillRun {
  /** When it ended: ISO 8601, UTC. */
  readonly at: string;
  readonly ok: boolean;
  /** Of all its drills. */
  readonly ms: number;
}

/** The runs of drills that tried the newest snapshot, as the log of `backups/` tells them: one that was cut off is none. */
export class DrillRuns {
  private readonly open = new Map<string, { ok: boolean; ms: number; newest: boolean }>();
  /** The last one, whatever came of it. */
  last: DrillRun | undefined;
  /** The last one that found everything good. */
  lastGood: DrillRun | undefined;
  /** From the decision to restore the newest snapshot until all of it would serve, as the last good drill of one measured it. */
  rtoMs: number | undefined;

  apply(event: StoredEvent): void {
    if (event.kind !== 'snapshot.drilled') return;
    const { run, ok, ms, newest, last, at, restoreMs, verifyMs, loadMs } = event as StoredEvent & SnapshotDrilled;
    const sum = this.open.get(run) ?? { ok: true, ms: 0, newest: false };
    this.open.set(run, { ok: sum.ok && ok, ms: sum.ms + ms, newest: sum.newest || newest });
    if (newest && ok) this.rtoMs = restoreMs + verifyMs + loadMs;
    if (last) this.end(run, at);
  }

  private end(run: string, at: string): void {
    const { ok, ms, newest } = this.open.get(run) as { ok: boolean; ms: number; newest: boolean };
    this.open.delete(run);
    if (!newest) return;
    this.last = { at, ok, ms };
    if (ok) this.lastGood = this.last;
  }
}
