import { CorrelationContext } from '../../logging/correlation-context';
import { modelDifference } from '../../models/registry/registry-difference';
import { type Merged, mergeSelected, mergeWhole, type Merging } from '../../models/registry/registry-merge';
import type { ModelRecord, VersionRecord } from '../../models/registry/registry-records';
import type { RegistryState } from '../../models/registry/registry-state';
import { formatRestored } from '../../models/registry/restored-models';
import type { StagedBlob } from '../../storage/blob-store.port';
import type { SnapshotId } from '../snapshot/snapshot-records';
import { HeldBlobs, type NeededFile } from './held-blobs';
import { NotInSnapshot, RestoreConflict, RestoreDamaged, RestoreOvertaken, RestorePlanOutdated } from './restore.errors';
import type { LostVersion, RestoreOptions, RestoreOutcome, RestorePlan } from './restore-plan';
import { restorableState } from './restorable-state';
import type { LivingRegistry } from './living-registry';
import type { RestoreSource } from './restore-source';
import { Warmth } from './warmth';

/** How often another event may come between the safety snapshot and the switch. */
const ATTEMPTS = 20;

/** One restore on its way: bytes, then a snapshot of what is there, then what will be served in memory, then the event. */
export class Restoring {
  private readonly held: HeldBlobs;

  constructor(
    private readonly registry: LivingRegistry,
    private readonly source: RestoreSource,
    private readonly options: RestoreOptions,
  ) {
    this.held = new HeldBlobs(registry.blobs, source, (sha256) => registry.state.blobName(sha256));
  }

  async plan(): Promise<RestorePlan> {
    const wanted = await this.gather(true);
    return this.planOf(this.merge(wanted, 'system'), wanted);
  }

  async run(actor: string): Promise<RestoreOutcome> {
    const warmth = new Warmth(this.registry, this.options.force === true);
    try {
      const wanted = await this.gather(false);
      const lost = this.lost(wanted);
      if (lost.length > 0 && this.options.partial !== true) throw new RestoreDamaged(this.source.manifest.id, this.held.damaged, lost);
      this.merge(wanted, actor); // what is refused takes no safety snapshot
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const outcome = await this.attempt(wanted, actor, warmth);
        if (outcome !== undefined) return outcome;
      }
      throw new RestoreOvertaken(ATTEMPTS);
    } finally {
      await warmth.end();
      await this.held.discard();
    }
  }

  /** @returns undefined where an event came between: the snapshot of what was there is not that of what is there */
  private async attempt(wanted: RegistryState, actor: string, warmth: Warmth): Promise<RestoreOutcome | undefined> {
    const { journal, state, blobs, versionBlobs } = this.registry;
    const safety = await this.takeSafety(actor);
    await journal.readOn();
    const { seq } = state.position;
    if (safety !== undefined && safety.seq !== seq) return undefined;
    const merged = this.merge(wanted, actor);
    const plan = this.planOf(merged, wanted);
    this.options.signal?.throwIfAborted();
    const models = warmth.known(merged.models);
    const bytes = formatRestored(models);
    const staged = await blobs.stage(once(bytes), bytes.length);
    try {
      const done = await versionBlobs.keep([...this.held.staged, staged], async (stand) => {
        await warmth.load(models);
        return this.commit(actor, { seq, models, staged, stand, warmth });
      });
      if (done === 'overtaken') return undefined;
    } finally {
      await staged.discard().catch(() => {}); // a sweep takes what stays; the event stands
    }
    return { ...plan, event: seq + 1, ...(safety !== undefined && { safety: safety.id }) };
  }

  /** @returns undefined where the names of blobs are others by now */
  private async commit(
    actor: string,
    { seq, models, staged, stand, warmth }: { readonly seq: number; readonly models: readonly ModelRecord[]; readonly staged: StagedBlob; readonly stand: () => boolean; readonly warmth: Warmth }, // prettier-ignore
  ): Promise<'done' | 'overtaken' | undefined> {
    const { journal, state } = this.registry;
    const { id: snapshot } = this.source.manifest;
    const { reason } = this.options;
    let end: 'done' | 'overtaken' | undefined;
    await warmth.switching(() =>
      journal.commit(
        actor,
        () => {
          end = state.position.seq !== seq ? 'overtaken' : stand() ? 'done' : undefined;
          if (end !== 'done') return undefined;
          const restored = { kind: 'registry.restored', snapshot, state: staged.digest, stateBytes: staged.bytes } as const;
          return { ...restored, ...(reason !== undefined && { reason }) };
        },
        models,
      ),
    );
    return end;
  }

  /** Reads all that is needed. @returns the registry of the snapshot */
  private async gather(dryRun: boolean): Promise<RegistryState> {
    const { progress, signal } = this.options;
    const wanted = await restorableState(this.source);
    this.requireSelected(wanted);
    const { journal } = this.registry;
    await (dryRun ? journal.readOn() : journal.requireWritable());
    await this.held.gather(filesOf(this.selected(wanted)), { dryRun, ...(progress && { progress }), ...(signal && { signal }) });
    return wanted;
  }

  /** @throws NotInSnapshot */
  private requireSelected(wanted: RegistryState): void {
    const { model, version } = this.options;
    if (model === undefined) return;
    const versions = wanted.find(model)?.versions;
    if (versions === undefined) throw new NotInSnapshot(this.source.manifest.id, model);
    if (version !== undefined && !versions.has(version)) throw new NotInSnapshot(this.source.manifest.id, model, version);
  }

  private selected(wanted: RegistryState): readonly ModelRecord[] {
    const { model, version } = this.options;
    if (model === undefined) return [...wanted.list(), ...wanted.listDeleted()];
    const record = wanted.require(model);
    const versions = new Map([...record.versions].filter(([number]) => version === undefined || number === version));
    return [{ ...record, versions, deletedVersions: new Map() }];
  }

  private lost(wanted: RegistryState): readonly LostVersion[] {
    const versions = this.selected(wanted).flatMap((model) => [...model.versions.values()]);
    return versions.filter((record) => !this.held.has(record)).map(({ model, version }) => ({ model, version }));
  }

  /** @throws RestoreConflict, RestorePlanOutdated */
  private merge(wanted: RegistryState, actor: string): Merged {
    const { state } = this.registry;
    const { model, version, conflicts: policy = 'fail', seq, reason = `restored ${this.source.manifest.id}` } = this.options;
    const now = state.position.seq;
    if (seq !== undefined && seq !== now) throw new RestorePlanOutdated(seq, now);
    const deletion = { seq: now + 1, at: new Date().toISOString(), by: actor, reason };
    const merging: Merging = { current: state, wanted, has: (record: VersionRecord) => this.held.has(record), deletion };
    if (model === undefined) return mergeWhole(merging);
    const merged = mergeSelected(model, version, policy, merging);
    if (policy === 'fail' && merged.conflicts.length > 0) throw new RestoreConflict(merged.conflicts);
    return merged;
  }

  private planOf({ models, conflicts }: Merged, wanted: RegistryState): RestorePlan {
    const { state } = this.registry;
    const { id: snapshot, createdAt } = this.source.manifest;
    const differences = models.map((model) => modelDifference(state.findKnown(model.name), model)).filter((each) => each !== undefined);
    const { copy, damaged } = this.held;
    const { signature } = this.source;
    return {
      snapshot,
      createdAt,
      signature,
      seq: state.position.seq,
      models: differences,
      conflicts,
      copy,
      damaged,
      lost: this.lost(wanted),
    };
  }

  private async takeSafety(actor: string): Promise<{ readonly id: SnapshotId; readonly seq: number } | undefined> {
    const { safety = true, signal } = this.options;
    if (!safety) return undefined;
    const correlationId = CorrelationContext.current?.correlationId ?? 'none';
    return this.registry.taker.take({ trigger: 'safety', actor, correlationId, ...(signal && { signal }) });
  }
}

/** What was deleted comes along where its bytes are still there. */
function filesOf(models: readonly ModelRecord[]): readonly NeededFile[] {
  return models.flatMap(({ versions, deletedVersions }) => [
    ...[...versions.values()].flatMap(({ manifest }) => manifest.files),
    ...[...deletedVersions.values()].flatMap(({ record }) => record.manifest.files.map((file) => ({ ...file, optional: true as const }))),
  ]);
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
