import { randomInt, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { CorrelationContext } from '../../logging/correlation-context';
import { BackupRepository } from '../snapshot/backup-repository';
import { SnapshotManifests } from '../snapshot/snapshot-manifests';
import type { SnapshotId } from '../snapshot/snapshot-records';
import { SnapshotNotFound } from '../snapshot/snapshot.errors';
import { DrillGround } from './drill-ground';
import type { DrilledSnapshot, DrillOutcome, DrillReport } from './drill-report';
import type { DrillOptions } from './drilling';

/** What is to be drilled, and how. */
export interface DrillWish extends DrillOptions {
  /** An id, or `latest`. Absent: the newest snapshot, and one of the older ones by chance. */
  readonly id?: SnapshotId;
}

/** Of a run: its name, and whether it ends with this. */
interface Place {
  readonly run: string;
  readonly last: boolean;
}

const NEWEST = 'latest';

/** Tries whether snapshots can be restored, and writes down what came of it. Never two runs at once in one process. */
@Injectable()
export class Driller {
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly repository: BackupRepository,
    private readonly manifests: SnapshotManifests,
    private readonly ground: DrillGround,
  ) {}

  /** @throws SnapshotNotFound where there is none to drill; what the signal says where it is aborted: nothing is written down then */
  drill(wish: DrillWish): Promise<DrillReport> {
    const turn = this.turn.then(() => this.drillNow(wish));
    this.turn = turn.catch(() => {});
    return turn;
  }

  private async drillNow(wish: DrillWish): Promise<DrillReport> {
    const startedAt = performance.now();
    const ids = await this.there();
    const chosen = chosenOf(ids, wish.id);
    const run = randomUUID();
    const snapshots: DrilledSnapshot[] = [];
    for (const [at, id] of chosen.entries()) {
      wish.signal?.throwIfAborted();
      const outcome = await this.ground.drill(id, wish);
      wish.signal?.throwIfAborted();
      snapshots.push(await this.recorded({ ...outcome, newest: id === ids[0] }, { run, last: at === chosen.length - 1 }, wish.actor));
    }
    return { ok: snapshots.every(({ ok }) => ok), ms: Math.round(performance.now() - startedAt), snapshots };
  }

  /** What is not deleted, the newest first; also what the log tells nothing of any more. Only the log and names are read. */
  private async there(): Promise<readonly SnapshotId[]> {
    const { history } = await this.repository.readable();
    const known = [...history.snapshots.values()].filter(({ deleted }) => deleted === undefined);
    const copies = (await this.manifests.unlogged(history)).map(({ manifest }) => manifest);
    const found = [...known, ...copies].map(({ id, createdAt }) => ({ id, createdAt }));
    return found.sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1)).map(({ id }) => id);
  }

  /** A copy that cannot be written to can be drilled all the same, as far as there is room for it elsewhere; so can one whose log is lost. */
  private async recorded(outcome: DrillOutcome & { readonly newest: boolean }, place: Place, actor: string): Promise<DrilledSnapshot> {
    const correlationId = CorrelationContext.current?.correlationId ?? 'none';
    try {
      await this.repository.commit(({ snapshots }) =>
        snapshots.has(outcome.id) ? { kind: 'snapshot.drilled', ...outcome, ...place, actor, correlationId } : undefined,
      );
      return outcome;
    } catch (error) {
      return { ...outcome, unrecorded: (error as Error).message };
    }
  }
}

/** @param ids the newest first @throws SnapshotNotFound */
function chosenOf(ids: readonly SnapshotId[], wanted: SnapshotId | undefined): readonly SnapshotId[] {
  const [newest, ...older] = ids;
  const named = wanted === NEWEST ? newest : wanted;
  if (newest === undefined || (named !== undefined && !ids.includes(named))) throw new SnapshotNotFound(wanted ?? NEWEST);
  if (named !== undefined) return [named];
  return older.length === 0 ? [newest] : [newest, older[randomInt(older.length)] as SnapshotId];
}
