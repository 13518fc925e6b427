import { isDeepStrictEqual } from 'node:util';
import { Injectable, Logger } from '@nestjs/common';
import { BackupConfig } from '../../config/app-config';
import { CorrelationContext } from '../../logging/correlation-context';
import { BackupRepository } from '../snapshot/backup-repository';
import type { BackupHistory } from '../snapshot/backup-history';
import { SnapshotInventory } from '../snapshot/snapshot-inventory';
import { storedNames } from '../snapshot/snapshot-manifest';
import { SnapshotManifests } from '../snapshot/snapshot-manifests';
import type { SnapshotId } from '../snapshot/snapshot-records';
import { SnapshotDamaged, SnapshotNotFound } from '../snapshot/snapshot.errors';
import { type CollectionPlan, ObjectCollector } from './object-collector';
import { newestVerified, retain, type RetentionPolicy, type Verdict } from './retention';
import { NewestVerified, PlanOutdated, SnapshotCollected, SnapshotNotDeleted, SnapshotPinned } from './retention.errors';

/** How long what is deleted can come back at least, and how far apart the two looks are that a collection takes. */
export const MIN_AGE_MS = 24 * 3_600_000;

/** Everything that a prune does, as plain JSON. */
export interface PrunePlan {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Number of the last event in the log of `backups/` that it knows. */
  readonly seq: number;
  readonly policy: RetentionPolicy;
  readonly zone: string;
  readonly minAgeMs: number;
  /** What becomes of every snapshot, and why; the newest first. */
  readonly snapshots: readonly Verdict[];
  /** Those that are deleted: they can be brought back until their objects are collected. */
  readonly delete: readonly SnapshotId[];
  readonly collect: CollectionPlan;
}

/** What a prune did. */
export interface PruneReport {
  readonly deleted: readonly SnapshotId[];
  readonly condemned: readonly string[];
  readonly removed: readonly string[];
  readonly bytes: number;
}

/** How a prune is done. */
export interface PruneOptions {
  /** Default: a day. */
  readonly minAgeMs?: number;
  readonly signal?: AbortSignal;
}

const NOTHING = { condemn: [], remove: [], bytes: 0 };
const ATTEMPTS = 5;

/** Deletes snapshots by the retention, brings them back, and has collected what nobody needs any more. */
@Injectable()
export class Pruner {
  private readonly logger = new Logger(Pruner.name);

  constructor(
    private readonly config: BackupConfig,
    private readonly repository: BackupRepository,
    private readonly inventory: SnapshotInventory,
    private readonly manifests: SnapshotManifests,
    private readonly collector: ObjectCollector,
  ) {}

  /** What `apply` would do; changes nothing. @throws RetentionEmpty, CollectionRefused, LogDamaged */
  async plan(at = new Date(), minAgeMs = MIN_AGE_MS): Promise<PrunePlan> {
    const { keepLast, keepDaily, keepWeekly, keepMonthly, timezone: zone } = this.config;
    const policy = { last: keepLast, daily: keepDaily, weekly: keepWeekly, monthly: keepMonthly };
    const history = await this.repository.history();
    const found = await this.inventory.list();
    const pinned = (id: SnapshotId): object => ({ pinned: history.pinnedUntil(id, at) });
    const logged = found.flatMap((record) => (history.snapshots.has(record.id) ? [{ ...record, ...pinned(record.id) }] : []));
    const snapshots = retain(policy, logged, at, zone);
    const unlogged = found.filter(({ id }) => !history.snapshots.has(id));
    return {
      at: at.toISOString(),
      seq: history.position.seq,
      policy,
      zone,
      minAgeMs,
      snapshots,
      delete: snapshots.filter(({ keep, reasons }) => !keep && !reasons.includes('deleted')).map(({ id }) => id),
      collect: await this.collector.plan(history, unlogged, at, minAgeMs),
    };
  }

  /**
   * Does what the plan says.
   * @param signal ends it between two steps: snapshots are deleted all or none, and objects that it left the next prune takes away
   * @throws PlanOutdated where that is no longer what a plan would say: nothing was done; CommitUncertain; AbortError
   */
  async apply(plan: PrunePlan, actor: string, signal?: AbortSignal): Promise<PruneReport> {
    const again = await this.plan(new Date(plan.at), plan.minAgeMs);
    if (!isDeepStrictEqual(again, plan)) throw new PlanOutdated(`event ${plan.seq}`, `event ${again.seq}`);
    const { delete: ids } = plan;
    if (ids.length > 0) await this.bury(ids, plan.seq, actor, signal);
    const { condemn: condemned, remove: removed, bytes } = await this.collect(plan, actor, signal);
    const found = await this.inventory.list();
    const history = await this.repository.history();
    await this.collector.note(
      found.filter(({ id }) => !history.snapshots.has(id)),
      new Date(plan.at),
    );
    this.logger.log('backups pruned', { deleted: ids, objects: removed.length, bytes });
    return { deleted: ids, condemned, removed, bytes };
  }

  /** Plans and does it; again where something came between. @throws as `plan` and `apply` */
  async prune(actor: string, { minAgeMs = MIN_AGE_MS, signal }: PruneOptions = {}): Promise<PruneReport> {
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      try {
        return await this.apply(await this.plan(new Date(), minAgeMs), actor, signal);
      } catch (error) {
        if (!(error instanceof PlanOutdated) || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** Deletes one by hand; one that is deleted already is no error. @throws SnapshotNotFound, SnapshotPinned, NewestVerified; AbortError: it is not deleted */
  async delete(id: SnapshotId, actor: string, reason: string, signal?: AbortSignal): Promise<void> {
    const lost = new Set((await this.inventory.list()).filter(({ damaged }) => damaged !== undefined).map((record) => record.id));
    await this.repository.commit((history) => {
      signal?.throwIfAborted();
      const record = history.snapshots.get(id);
      if (record === undefined) throw new SnapshotNotFound(id);
      if (record.deleted !== undefined) return undefined;
      const pinned = history.pinnedUntil(id, new Date());
      if (pinned !== undefined) throw new SnapshotPinned(id, pinned);
      const whole = [...history.snapshots.values()].filter((other) => !lost.has(other.id));
      if (newestVerified(whole, new Date())?.id === id) throw new NewestVerified(id);
      return { kind: 'snapshot.deleted', ids: [id], reason, ...by(actor) };
    });
  }

  /** Brings one back, to stay until it is deleted by hand. @throws SnapshotNotFound, SnapshotNotDeleted, SnapshotCollected; AbortError: it is not back */
  async undelete(id: SnapshotId, actor: string, signal?: AbortSignal): Promise<void> {
    const before = await this.repository.history();
    requireDeleted(id, before);
    const names = await this.namesOf(id, before);
    const scan = await this.repository.scan();
    await this.repository.commit((history) => {
      signal?.throwIfAborted();
      requireDeleted(id, history);
      // a condemned name may vanish at any time; one that is not stays from this event on
      const gone = names.filter((name) => !scan.has(name) || history.blobName(name.slice(0, 64)) !== name);
      if (gone.length > 0) throw new SnapshotCollected(id, gone.length);
      return { kind: 'snapshot.undeleted', id, ...by(actor) };
    });
  }

  private async namesOf(id: SnapshotId, history: BackupHistory): Promise<readonly string[]> {
    try {
      return [history.manifestBlob(id), ...storedNames(await this.manifests.trusted(id, history))];
    } catch (error) {
      throw error instanceof SnapshotDamaged ? new SnapshotCollected(id, 1, { cause: error }) : error;
    }
  }

  private async bury(ids: readonly SnapshotId[], seq: number, actor: string, signal?: AbortSignal): Promise<void> {
    await this.repository.commit(({ position }) => {
      signal?.throwIfAborted();
      if (position.seq !== seq) throw new PlanOutdated(`event ${seq}`, `event ${position.seq}`);
      return { kind: 'snapshot.deleted', ids, reason: 'retention', ...by(actor) };
    });
  }

  /** Once snapshots are deleted, a collection that comes too late is left to the next prune. */
  private async collect(
    plan: PrunePlan,
    actor: string,
    signal?: AbortSignal,
  ): Promise<Pick<CollectionPlan, 'condemn' | 'remove' | 'bytes'>> {
    try {
      await this.collector.collect(plan.collect, plan.minAgeMs, new Date(plan.at), actor, signal);
      return plan.collect;
    } catch (error) {
      if (!(error instanceof PlanOutdated) || plan.delete.length === 0) throw error;
      return NOTHING;
    }
  }
}

function by(actor: string): { readonly actor: string; readonly correlationId: string } {
  return { actor, correlationId: CorrelationContext.current?.correlationId ?? 'none' };
}

/** @throws SnapshotNotFound, SnapshotNotDeleted */
function requireDeleted(id: SnapshotId, { snapshots }: BackupHistory): void {
  const record = snapshots.get(id);
  if (record === undefined) throw new SnapshotNotFound(id);
  if (record.deleted === undefined) throw new SnapshotNotDeleted(id);
}
