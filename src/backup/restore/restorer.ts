import { type BeforeApplicationShutdown, Injectable, Logger, Optional } from '@nestjs/common';
import { RegistryJournal } from '../../models/registry/registry-journal';
import { RegistryState } from '../../models/registry/registry-state';
import { VersionBlobs } from '../../models/registry/version-blobs';
import { ModelCatalog } from '../../models/serving/model-catalog';
import { ModelBlobs } from '../../storage/blob-store.port';
import { SnapshotTaker } from '../snapshot/snapshot-taker';
import type { LivingRegistry } from './living-registry';
import type { RestoreOptions, RestoreOutcome, RestorePlan } from './restore-plan';
import type { RestoreSource } from './restore-source';
import { Restoring } from './restoring';

/** Restores snapshots into a registry that lives: one event is the switch, and history goes on. Never two at once in one process. */
@Injectable()
export class Restorer implements BeforeApplicationShutdown {
  private readonly logger = new Logger(Restorer.name);
  private readonly registry: LivingRegistry;
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    state: RegistryState,
    journal: RegistryJournal,
    blobs: ModelBlobs,
    versionBlobs: VersionBlobs,
    taker: SnapshotTaker,
    @Optional() catalog?: ModelCatalog,
  ) {
    this.registry = { state, journal, blobs, versionBlobs, taker, catalog };
  }

  /**
   * What `restore` would do; reads and checks everything, changes nothing.
   * @throws NotInSnapshot, RestoreConflict; SnapshotDamaged, SnapshotNewer, LogDamaged. Damaged objects are in the plan
   */
  plan(source: RestoreSource, options: RestoreOptions): Promise<RestorePlan> {
    return new Restoring(this.registry, source, options).plan();
  }

  /**
   * Makes the registry what the snapshot says, whole or as far as it is selected: all of it or nothing.
   * @throws as `plan`; RestoreDamaged, RestoreNotServable, RestorePlanOutdated, RestoreOvertaken; SnapshotFailed, SnapshotNoSpace of the safety
   *   snapshot; NoSpace, ReadOnly: nothing was changed then; CommitUncertain
   */
  restore(source: RestoreSource, actor: string, options: RestoreOptions): Promise<RestoreOutcome> {
    const turn = this.last.then(() => this.restoreNow(source, actor, options));
    this.last = turn.catch(() => {});
    return turn;
  }

  /** A stop waits for a restore that has begun. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.last;
  }

  private async restoreNow(source: RestoreSource, actor: string, options: RestoreOptions): Promise<RestoreOutcome> {
    const startedAt = performance.now();
    const outcome = await new Restoring(this.registry, source, options).run(actor);
    const { snapshot, event, safety, models, copy } = outcome;
    const ms = Math.round(performance.now() - startedAt);
    this.logger.log('snapshot restored', { snapshot, event, safety, models: models.length, bytes: copy.bytes, ms });
    return outcome;
  }
}
