import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { RuntimeConfig } from '../../config/app-config';
import { hasCode } from '../../errors/has-code';
import { RegistryJournal } from '../../models/registry/registry-journal';
import type { VersionRecord } from '../../models/registry/registry-records';
import { RegistryState } from '../../models/registry/registry-state';
import { type BlobStore, LOST } from '../../storage/blob-store.port';
import type { FreeSpace } from '../../storage/free-space';
import { openStorage } from '../../storage/open-storage';
import type { OpenedEngines } from '../../runtime/open-engines';
import { EmptyPlace } from '../restore/empty-place';
import type { RestoreSource, SnapshotSources } from '../restore/restore-source';
import { liveBlobs, summariesOf } from '../snapshot/registry-cut';
import { blobPath } from '../snapshot/read-manifest';
import { bytesOf, type SnapshotManifest } from '../snapshot/snapshot-manifest';
import type { Progress, SnapshotId } from '../snapshot/snapshot-records';
import { drillFailureOf, DrillRefusal } from './drill-failure';
import type { DrillFailure, DrillOutcome, DrillPhase } from './drill-report';
import { ModelDrill } from './model-drill';
import { Pace } from './pace';

/** How a snapshot is drilled. */
export interface DrillOptions {
  readonly actor: string;
  /** Takes an unsigned snapshot for what it says it is, though there is a key. */
  readonly allowUnsigned?: boolean;
  /** What of the time of its process it may take, more than 0; default 1: all. */
  readonly share?: number;
  readonly progress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/** What a drill stands on. */
export interface Footing {
  /** That of the snapshots. */
  readonly folder: string;
  readonly sources: SnapshotSources;
  /** What is left free. */
  readonly space: FreeSpace;
  readonly runtimeConfig: RuntimeConfig;
  readonly open: () => OpenedEngines;
  /** The failure with the objects that are damaged, where it is about such. */
  named(id: SnapshotId, failure: DrillFailure, allowUnsigned: boolean): Promise<DrillFailure>;
}

/** One drill of one snapshot. */
export class Drilling {
  private readonly startedAt = performance.now();
  private phase: DrillPhase = 'restoring';
  private enteredAt = this.startedAt;
  private readonly spent = new Map<DrillPhase, number>();
  private readonly pace: Pace;
  private readonly counts = { objects: 0, bytes: 0, models: 0, goldenRows: 0 };
  private failure: DrillFailure | undefined;

  /** @param scratch a folder that is not there */
  constructor(
    private readonly ground: Footing,
    private readonly id: SnapshotId,
    private readonly scratch: string,
    private readonly options: DrillOptions,
  ) {
    this.pace = new Pace(options.share ?? 1);
  }

  /** Never rejects. */
  async run(): Promise<DrillOutcome> {
    await this.guarded(async () => {
      const manifest = await this.restore();
      const { state, blobs } = await this.verify(manifest);
      await this.serve(state, blobs);
    });
    this.enter('deleting');
    await this.guarded(() => rm(this.scratch, { recursive: true, force: true }));
    this.enter('deleting');
    return this.outcome;
  }

  private async restore(): Promise<SnapshotManifest> {
    const { ground, options } = this;
    const source = await ground.sources.open(this.id, options.actor, options.allowUnsigned);
    try {
      const { manifest } = source;
      [this.counts.objects, this.counts.bytes] = [manifest.objects.length, bytesOf(manifest)];
      await ground.space.require(this.counts.bytes);
      const { progress, signal } = options;
      const reason = 'a drill';
      const paced: RestoreSource = { ...source, read: (object) => this.pace.pieces(source.read(object)) };
      await new EmptyPlace(this.scratch).restore(paced, options.actor, {
        reason,
        ...(progress && { progress }),
        ...(signal && { signal }),
      });
      return manifest;
    } finally {
      await source.close();
    }
  }

  /** Reads what was restored as the next start would, and every byte that it needs. */
  private async verify({ models }: SnapshotManifest): Promise<{ readonly state: RegistryState; readonly blobs: BlobStore }> {
    this.enter('verifying');
    const { log, blobs } = openStorage(this.scratch);
    const state = new RegistryState();
    await new RegistryJournal(log, state, blobs).readOn().catch((error: unknown) => {
      throw hasCode(error, 'LOG_DAMAGED') ? new DrillRefusal('chain', (error as Error).message, ['log']) : error;
    });
    if (models !== undefined && !isDeepStrictEqual(summariesOf(state), models))
      throw new DrillRefusal('contradiction', 'the restored registry is not what the manifest says');
    const bad: string[] = [];
    for (const name of liveBlobs(state).keys()) if (!(await this.isSound(blobs, name))) bad.push(blobPath(name));
    if (bad.length > 0) throw new DrillRefusal('digest', `what was restored is not what was stored: ${bad[0]}`, bad);
    return { state, blobs };
  }

  private async isSound(blobs: BlobStore, name: string): Promise<boolean> {
    const hash = createHash('sha256');
    try {
      for await (const chunk of blobs.read(name)) {
        this.options.signal?.throwIfAborted();
        hash.update(chunk);
        await this.pace.rest();
      }
    } catch (error) {
      if (hasCode(error, 'BLOB_MISSING', ...LOST)) return false;
      throw error;
    }
    return name.startsWith(hash.digest('hex'));
  }

  /** Every model is tried, also where one before it failed: all that would not serve are named. */
  private async serve(state: RegistryState, blobs: BlobStore): Promise<void> {
    this.enter('loading');
    const engines = this.ground.open();
    const stop = (): void => void engines.close();
    this.options.signal?.addEventListener('abort', stop, { once: true });
    try {
      const drill = new ModelDrill(engines.runtime, blobs, this.ground.runtimeConfig);
      for (const { production } of state.list()) {
        this.options.signal?.throwIfAborted();
        if (production !== undefined) await this.guarded(() => this.drillModel(drill, production), [pathOf(production)]);
      }
    } finally {
      this.options.signal?.removeEventListener('abort', stop);
      await engines.close();
    }
  }

  private async drillModel(drill: ModelDrill, record: VersionRecord): Promise<void> {
    this.enter('loading');
    this.counts.goldenRows += await drill.run(record, (phase) => this.enter(phase));
    this.counts.models++;
  }

  /** The first failure counts; what fails for the same reason after it is named with it. */
  private async guarded(work: () => Promise<void>, objects?: readonly string[]): Promise<void> {
    try {
      await work();
    } catch (error) {
      const { signal, allowUnsigned = false } = this.options;
      const cause: unknown = signal?.aborted === true ? signal.reason : error;
      const found = drillFailureOf(cause, this.phase, this.ground.folder, objects);
      if (this.failure === undefined) this.failure = await this.ground.named(this.id, found, allowUnsigned);
      else this.failure = { ...this.failure, objects: [...this.failure.objects, ...found.objects] };
    }
  }

  private enter(phase: DrillPhase): void {
    const now = performance.now() - this.pace.restedMs;
    this.spent.set(this.phase, (this.spent.get(this.phase) ?? 0) + now - this.enteredAt);
    [this.phase, this.enteredAt] = [phase, now];
  }

  private get outcome(): DrillOutcome {
    const [restoreMs = 0, verifyMs = 0, loadMs = 0, replayMs = 0] = (['restoring', 'verifying', 'loading', 'replaying'] as const).map(
      (phase) => Math.round(this.spent.get(phase) ?? 0),
    );
    const ms = Math.round(performance.now() - this.startedAt);
    const { id, failure, counts } = this;
    return { id, ok: failure === undefined, ...(failure && { failure }), ...counts, restoreMs, verifyMs, loadMs, replayMs, ms };
  }
}

function pathOf({ model, version }: VersionRecord): string {
  return `models/${model}/${version}`;
}
