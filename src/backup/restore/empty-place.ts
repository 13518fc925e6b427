import { randomUUID } from 'node:crypto';
import { CorrelationContext } from '../../logging/correlation-context';
import { modelDifference } from '../../models/registry/registry-difference';
import { mergeWhole } from '../../models/registry/registry-merge';
import type { VersionRecord } from '../../models/registry/registry-records';
import type { RegistryState } from '../../models/registry/registry-state';
import { formatRestored, type RestoredModels } from '../../models/registry/restored-models';
import type { BlobStore, StagedBlob } from '../../storage/blob-store.port';
import { holdsRegistry } from '../../storage/folder-inventory';
import { createLog } from '../../storage/new-log';
import { openStorage } from '../../storage/open-storage';
import { LogExists } from '../../storage/storage.errors';
import { sealEvent } from '../../storage/stored-event';
import type { SnapshotManifest } from '../snapshot/snapshot-manifest';
import { HeldBlobs } from './held-blobs';
import { RestoreDamaged } from './restore.errors';
import type { LostVersion, RestoreOptions, RestoreOutcome, RestorePlan } from './restore-plan';
import { restorableState } from './restorable-state';
import type { RestoreSource } from './restore-source';

const NEWLINE = 0x0a;

/** Restores a whole snapshot into a folder without a registry: bytes first, then the log in one step. The line of history is a new one. */
export class EmptyPlace {
  /** @param root a folder that need not be there */
  constructor(private readonly root: string) {}

  /** What `restore` would do; checks everything, changes nothing. @throws LogExists; SnapshotDamaged, SnapshotNewer */
  async plan(source: RestoreSource, options: RestoreOptions = {}): Promise<RestorePlan> {
    const { wanted, held } = await this.gather(source, options, true);
    return planOf(source, wanted, held);
  }

  /** @throws as `plan`; RestoreDamaged, NoSpace: there is no registry then; CommitUncertain: there is one, but it may not survive a power cut */
  async restore(source: RestoreSource, actor: string, options: RestoreOptions = {}): Promise<RestoreOutcome> {
    const { wanted, held, blobs } = await this.gather(source, options, false);
    try {
      const plan = planOf(source, wanted, held);
      if (plan.lost.length > 0 && options.partial !== true) throw new RestoreDamaged(plan.snapshot, plan.damaged, plan.lost);
      for (const staged of held.staged) {
        options.signal?.throwIfAborted();
        await blobs.put(staged, wanted.blobName(staged.digest));
      }
      options.signal?.throwIfAborted();
      const without = plan.lost.length === 0 ? undefined : await this.without(wanted, held, blobs, actor);
      await createLog(this.root, eventsOf(source, wanted, actor, { state: without, reason: options.reason }));
      return { ...plan, event: source.manifest.seq + 1 };
    } finally {
      await held.discard();
    }
  }

  private async gather(
    source: RestoreSource,
    { progress, signal }: RestoreOptions,
    dryRun: boolean,
  ): Promise<{ readonly wanted: RegistryState; readonly held: HeldBlobs; readonly blobs: BlobStore }> {
    if (await holdsRegistry(this.root)) throw new LogExists(this.root);
    const wanted = await restorableState(source);
    const { blobs } = openStorage(this.root);
    const held = new HeldBlobs(blobs, source, (sha256) => wanted.blobName(sha256));
    const versions = [...wanted.list(), ...wanted.listDeleted()].flatMap((model) => [...model.versions.values()]);
    const deleted = [...wanted.list(), ...wanted.listDeleted()].flatMap((model) => [...model.deletedVersions.values()]);
    const files = [
      ...versions.flatMap(({ manifest }) => manifest.files),
      ...statesOf(wanted),
      ...deleted.flatMap(({ record }) => record.manifest.files.map((file) => ({ ...file, optional: true as const }))),
    ];
    try {
      await held.gather(files, { dryRun, ...(progress && { progress }), ...(signal && { signal }) });
      return { wanted, held, blobs };
    } catch (error) {
      await held.discard();
      throw error;
    }
  }

  /** What is lost is there as deleted. */
  private async without(wanted: RegistryState, held: HeldBlobs, blobs: BlobStore, by: string): Promise<StagedBlob> {
    const deletion = { seq: wanted.position.seq + 1, at: new Date().toISOString(), by, reason: 'its bytes were lost' };
    const { models } = mergeWhole({ current: wanted, wanted, has: (record: VersionRecord) => held.has(record), deletion });
    const bytes = formatRestored(models);
    const staged = await blobs.stage(once(bytes), bytes.length);
    try {
      await blobs.put(staged, wanted.blobName(staged.digest));
      return staged;
    } finally {
      await staged.discard().catch(() => {}); // a sweep takes what stays
    }
  }
}

/** The states that the log itself restored earlier: without them it cannot be read. */
function statesOf(wanted: RegistryState): readonly { readonly sha256: string; readonly size: number }[] {
  return [...wanted.restoredStates].map(([name, size]) => ({ sha256: name.slice(0, 64), size }));
}

function planOf({ manifest, signature }: RestoreSource, wanted: RegistryState, held: HeldBlobs): RestorePlan {
  const live = wanted.list().flatMap(({ versions }) => [...versions.values()]);
  const lost: readonly LostVersion[] = live.filter((record) => !held.has(record)).map(({ model, version }) => ({ model, version }));
  const models: RestoredModels = wanted.list();
  const differences = models.map((model) => modelDifference(undefined, model)).filter((difference) => difference !== undefined);
  const { copy, damaged } = held;
  return {
    snapshot: manifest.id,
    createdAt: manifest.createdAt,
    signature,
    seq: 0,
    models: differences,
    conflicts: [],
    copy,
    damaged,
    lost,
  };
}

/** The events of a snapshot, byte for byte, and after them the one that says where they came from. */
async function* eventsOf(
  { manifest, read }: RestoreSource,
  { position }: RegistryState,
  actor: string,
  { state, reason }: { readonly state: StagedBlob | undefined; readonly reason: string | undefined },
): AsyncIterable<Uint8Array> {
  for (const object of manifest.objects) if (object.kind === 'events') yield* linesOf(read(object));
  const { bytes } = sealEvent(position, { ...restored(manifest, state, reason), actor, correlationId: correlationId() }, new Date());
  yield bytes;
}

function restored(
  { id: snapshot }: SnapshotManifest,
  state: StagedBlob | undefined,
  reason: string | undefined,
): { readonly kind: 'registry.restored'; readonly [member: string]: unknown } {
  return {
    kind: 'registry.restored',
    snapshot,
    lineage: randomUUID(),
    ...(state && { state: state.digest, stateBytes: state.bytes }),
    ...(reason !== undefined && { reason }),
  };
}

async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let rest = Buffer.alloc(0);
  for await (const chunk of source) {
    let bytes = Buffer.concat([rest, chunk]);
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE)) {
      yield bytes.subarray(0, end);
      bytes = bytes.subarray(end + 1);
    }
    rest = bytes;
  }
}

function correlationId(): string {
  return CorrelationContext.current?.correlationId ?? 'none';
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
