import { Injectable } from '@nestjs/common';
import { Forbidden } from '../../auth/auth.errors';
import { GoldenReplay } from '../serving/golden-replay';
import { ModelCatalog } from '../serving/model-catalog';
import { NothingToRollBack, SignatureChanged } from './registry.errors';
import { type Change, RegistryChanges } from './registry-changes';
import type { Stage } from './registry-event';
import type { VersionRecord } from './registry-records';
import { RegistryState } from './registry-state';
import { breakingDifferences } from './signature-difference';

/** A move of a version; `force`: whatever stands in its way. */
export interface Move extends Change {
  readonly force?: boolean;
  /** Whether who asks may change what is in production; default yes. */
  readonly mayTouchProduction?: boolean;
}

/**
 * Where versions stand. What enters production is loaded and warm before the event, and served after it in one step; then what it
 * displaces drains. No caller meets a gap, and none a version that was not promoted.
 */
@Injectable()
export class VersionStages {
  constructor(
    private readonly state: RegistryState,
    private readonly changes: RegistryChanges,
    private readonly catalog: ModelCatalog,
    private readonly golden: GoldenReplay,
  ) {}

  /**
   * Moves a version to a stage.
   * @throws ModelNotFound, VersionNotFound, Forbidden, CommitUncertain; into production also SignatureChanged and GoldenDeviation, unless it is
   *   forced, and as ModelCatalog.load; as RegistryChanges.commit
   */
  async move(model: string, version: number, stage: Stage, move: Move): Promise<VersionRecord> {
    const request = `move ${version} to ${stage}`;
    if ((await this.changes.before(model, request, move)) !== undefined) return this.state.requireVersion(model, version);
    const record = this.state.requireVersion(model, version);
    refuseProduction(record, stage, move);
    const enters = stage === 'production' && record.stage !== stage;
    if (enters) this.refuseBreak(record, move); // before anything is loaded for nothing
    const candidate = enters ? await this.catalog.load(record) : undefined;
    try {
      if (candidate !== undefined && move.force !== true) await this.golden.refuseDeviation(candidate);
      await this.changes.commit(model, request, move, () => {
        const now = this.state.requireVersion(model, version);
        refuseProduction(now, stage, move);
        if (now.stage === stage) return undefined;
        if (stage === 'production') this.refuseBreak(now, move);
        return { kind: 'stage.changed', model, version, stage, ...(move.force === true && { forced: true as const }) };
      });
    } finally {
      // also where the commit failed: a candidate that is not in production is unloaded by this
      await this.catalog.settle(model, candidate);
    }
    return this.state.requireVersion(model, version);
  }

  /**
   * Brings back the version that was in production before the present one; once more goes one further back.
   * @throws ModelNotFound, NothingToRollBack; as `move`, but nothing is held against what was in production before
   */
  async rollback(model: string, change: Change): Promise<VersionRecord> {
    for (;;) {
      const before = await this.changes.before(model, 'rollback', change);
      if (before?.version !== undefined) return this.state.requireVersion(model, before.version);
      const target = this.pastOf(model);
      const candidate = await this.catalog.load(target);
      let taken = false;
      try {
        const done = await this.changes.commit(model, 'rollback', change, () => {
          // where somebody else was faster another version is the one to go back to
          taken = this.pastOf(model) === target;
          return taken ? { kind: 'stage.changed', model, version: target.version, stage: 'production', rollback: true } : undefined;
        });
        // it was decided, and then somebody else had done it
        if (done !== undefined) taken = false;
      } finally {
        await this.catalog.settle(model, candidate);
      }
      if (taken) return target;
    }
  }

  /** @throws SignatureChanged */
  private refuseBreak(record: VersionRecord, { force }: Move): void {
    const { production } = this.state.require(record.model);
    if (production === undefined || force === true) return;
    const differences = breakingDifferences(production, record);
    if (differences.length > 0) throw new SignatureChanged(record.model, record.version, production.version, differences);
  }

  /** The version to go back to. @throws ModelNotFound, NothingToRollBack */
  private pastOf(model: string): VersionRecord {
    const { past, versions, production } = this.state.require(model);
    const number = past.findLast((version) => versions.has(version) && version !== production?.version);
    if (number === undefined) throw new NothingToRollBack(model);
    return this.state.requireVersion(model, number);
  }
}

/** @throws Forbidden where what is in production would change, and who asks may not do that */
function refuseProduction(record: VersionRecord, stage: Stage, { mayTouchProduction = true }: Move): void {
  if (!mayTouchProduction && (stage === 'production' || record.stage === 'production')) throw new Forbidden();
}
