import { Injectable, Logger } from '@nestjs/common';
import { hasCode } from '../../errors/has-code';
import { CorrelationContext } from '../../logging/correlation-context';
import { BackupJournal } from '../backup-journal';
import type { RunOutcome, RunPhase } from '../backup-figures';
import { BackupMetrics } from '../backup.metrics';
import { Pruner, type PruneReport } from '../retention/pruner';
import { failureOf } from '../snapshot/snapshot-failure';
import type { SnapshotId, SnapshotRecord, Trigger } from '../snapshot/snapshot-records';
import { SnapshotTaker } from '../snapshot/snapshot-taker';
import { SnapshotFailed, SnapshotNoSpace } from '../snapshot/snapshot.errors';
import { SnapshotVerifier } from '../verify/snapshot-verifier';

/** After so many runs every object was read once. */
const PARTS = 7;

/** Reasons that the retention has beside those of `failureOf`. */
const REASONS: Readonly<Record<string, string>> = {
  RETENTION_EMPTY: 'retention-empty',
  COLLECTION_REFUSED: 'collection-refused',
  PLAN_OUTDATED: 'repository-moving',
};

/** A verification looked at everything, and found something. */
class FoundDamaged extends Error {
  constructor(readonly objects: readonly string[]) {
    super(`the snapshot that was just taken lacks ${objects.length} objects`);
  }
}

/** All that a scheduled backup is: a snapshot, a look whether it is good, and then, only then, a prune; or a part of it that somebody asks for. Each is counted. */
@Injectable()
export class BackupRunner {
  private readonly logger = new Logger(BackupRunner.name);

  constructor(
    private readonly taker: SnapshotTaker,
    private readonly verifier: SnapshotVerifier,
    private readonly pruner: Pruner,
    private readonly journal: BackupJournal,
    private readonly metrics: BackupMetrics,
  ) {}

  /** Never rejects: the outcome is logged, counted and told. */
  async run(trigger: Trigger, actor: string): Promise<RunOutcome> {
    const startedAt = performance.now();
    const at: { phase: RunPhase; snapshot?: SnapshotId } = { phase: 'taking' };
    try {
      const { id } = await this.taker.take({ trigger, actor, correlationId: correlationId() });
      Object.assign(at, { phase: 'verifying', snapshot: id });
      await this.verify(id, actor);
      at.phase = 'pruning';
      await this.prune(actor);
      at.phase = 'done';
      this.logger.log('backup done', { snapshot: id, ms: Math.round(performance.now() - startedAt) });
      return await this.told({ ...at, outcome: 'completed', objects: [] });
    } catch (error) {
      const outcome: RunOutcome = { ...at, outcome: 'failed', ...causeOf(error) };
      const { objects: paths, ...told } = outcome;
      this.logger.error('backup failed', { ...told, paths, err: error });
      return this.told(outcome);
    }
  }

  /** A snapshot for somebody who waits for it: told as a run is, and not verified. @throws SnapshotFailed, SnapshotNoSpace */
  async take(actor: string): Promise<SnapshotRecord> {
    const record = await this.taker.take({ trigger: 'manual', actor, correlationId: correlationId() }).catch(async (error: unknown) => {
      await this.told({ outcome: 'failed', phase: 'taking', ...causeOf(error) });
      throw error;
    });
    await this.told({ outcome: 'completed', phase: 'done', snapshot: record.id, objects: [] });
    return record;
  }

  /** @throws as `Pruner.prune` */
  async prune(actor: string): Promise<PruneReport> {
    let report: PruneReport | undefined;
    try {
      report = await this.pruner.prune(actor);
      return report;
    } finally {
      this.metrics.countPrune(report);
    }
  }

  /** Everything must be there, and a part of the bytes is read: another part each time. */
  private async verify(id: SnapshotId, actor: string): Promise<void> {
    const subset = await this.journal.nextPart(PARTS);
    const { ok, findings, unrecorded } = await this.verifier.verify(id, { level: 'data', subset, actor });
    if (!ok) throw new FoundDamaged(findings.map(({ path }) => path));
    if (unrecorded !== undefined) throw new Error(`the verification could not be written down: ${unrecorded}`);
  }

  private async told(outcome: RunOutcome): Promise<RunOutcome> {
    await this.journal.record(outcome);
    return outcome;
  }
}

function correlationId(): string {
  return CorrelationContext.current?.correlationId ?? 'none';
}

function causeOf(error: unknown): { readonly reason: string; readonly objects: readonly string[] } {
  if (error instanceof SnapshotFailed || error instanceof SnapshotNoSpace) {
    const { reason, objects } = error.failure;
    return { reason, objects };
  }
  if (error instanceof FoundDamaged) return { reason: 'damaged', objects: error.objects };
  const code = Object.keys(REASONS).find((each) => hasCode(error, each));
  return { reason: (code && REASONS[code]) ?? failureOf(error, 'preparing').reason, objects: [] };
}
