import { Injectable } from '@nestjs/common';
import { ModelRuntime } from '../runtime/model-runtime.port';
import { ModelBlobs } from '../storage/blob-store.port';
import { goldenTrials, refuseDeviation } from './upload/golden';
import { digestOf, type Manifest } from './upload/manifest';
import { Measurements } from './serving/measurements';
import { ModelCatalog } from './serving/model-catalog';
import { refuseMismatch } from './upload/model-metadata';
import { AliasNotFound, ModelChanged, NothingToRollBack, VersionTaken } from './models.errors';
import type { Stage, VersionPublished } from './registry/registry-event';
import { type Decision, RegistryJournal } from './registry/registry-journal';
import { type ModelRecord, RegistryState, type VersionRecord } from './registry/registry-state';
import { discardAll, type UploadFile } from './upload/upload-files';
import type { Upload } from './upload/upload-reader';
import { VersionFaults } from './serving/version-faults';

/** What became of an upload. */
export interface Published {
  readonly record: VersionRecord;
  /** False where an equal version was there already. */
  readonly created: boolean;
}

/** Who wants a change, and on which condition. */
export interface Change {
  readonly actor: string;
  readonly reason?: string;
  /** The ETag of the model that the caller saw: where another change came first, this one is refused. */
  readonly ifMatch?: string;
}

/** What belongs to a model, not to a version. */
export interface Description {
  readonly description?: string;
  readonly tags?: readonly string[];
}

/** What an upload proved to be, before it has a number. */
type Fresh = Omit<VersionPublished, 'version' | 'actor' | 'correlationId'>;

/** Changes the registry: what is published, and where it stands. */
@Injectable()
export class ModelRegistry {
  constructor(
    private readonly state: RegistryState,
    private readonly journal: RegistryJournal,
    private readonly catalog: ModelCatalog,
    private readonly runtime: ModelRuntime,
    private readonly blobs: ModelBlobs,
    private readonly faults: VersionFaults,
    private readonly measurements: Measurements,
  ) {}

  /**
   * Makes an upload a version: proved in a process of its own, then its bytes durable, then the one event from which on it exists.
   * An equal manifest again gives the same version. The upload is discarded, whatever happens.
   * @throws ReadOnly, ModelRefused, ImportDeadlineExceeded, MetadataMismatch, GoldenMismatch, VersionTaken, NoSpace, CommitUncertain; with `stage`, as `move`
   */
  async publish(upload: Upload, actor: string): Promise<Published> {
    try {
      await this.journal.requireWritable();
      const published = await this.record(upload, await this.prove(upload), actor);
      await this.describe(upload.model, upload, { actor });
      if (upload.stage !== undefined && upload.stage !== published.record.stage) {
        await this.move(upload.model, published.record.version, upload.stage, { actor });
      }
      // an upload that healed a damaged file may be what its production version waited for
      await this.catalog.loadProduction(upload.model);
      return published;
    } finally {
      await discardAll(filesOf(upload));
    }
  }

  /**
   * Moves a version to a stage. Into production: loaded and warm first, then the event, then the switch, then the old one drains;
   * no caller meets a gap.
   * @throws ModelNotFound, VersionNotFound, CommitUncertain; as ModelCatalog.load where the version cannot be loaded
   */
  async move(model: string, version: number, stage: Stage, change: Change): Promise<VersionRecord> {
    this.refuseStale(model, change); // before anything is loaded for nothing
    const record = this.state.requireVersion(model, version);
    const candidate = stage === 'production' && record.stage !== stage ? await this.catalog.load(record) : undefined;
    try {
      await this.journal.commit(change.actor, () => {
        this.refuseStale(model, change);
        if (this.state.requireVersion(model, version).stage === stage) return undefined;
        return { kind: 'stage.changed', model, version, stage, ...reasonOf(change) };
      });
    } finally {
      // also where the commit failed: a candidate that is not in production is unloaded by this
      await this.catalog.settle(model, candidate);
    }
    return record;
  }

  /**
   * Brings back the version that was in production before the present one, in the order of `move`; once more goes one further back.
   * @throws ModelNotFound, NothingToRollBack; as `move`
   */
  async rollback(model: string, change: Change): Promise<VersionRecord> {
    for (;;) {
      this.refuseStale(model, change);
      const target = this.pastOf(model);
      const candidate = await this.catalog.load(target);
      let taken = false;
      try {
        await this.journal.commit(change.actor, () => {
          this.refuseStale(model, change);
          // where somebody else was faster another version is the one to go back to
          taken = this.pastOf(model) === target;
          if (!taken) return undefined;
          const { version } = target;
          return { kind: 'stage.changed', model, version, stage: 'production', rollback: true, ...reasonOf(change) };
        });
      } finally {
        await this.catalog.settle(model, candidate);
      }
      if (taken) return target;
    }
  }

  /** Says what a model is; what is left out stays as it is. @throws ModelNotFound, ModelChanged, CommitUncertain */
  async describe(model: string, said: Description, change: Change): Promise<ModelRecord> {
    await this.journal.commit(change.actor, () => {
      this.refuseStale(model, change);
      const known = this.state.require(model);
      const { description = known.description, tags = known.tags } = said;
      const unchanged = description === known.description && tags.join('\n') === known.tags.join('\n');
      return unchanged ? undefined : { kind: 'model.described', model, description, tags };
    });
    return this.state.require(model);
  }

  /** Points an alias at a version, wherever it pointed before. @throws ModelNotFound, VersionNotFound, CommitUncertain */
  async setAlias(model: string, alias: string, version: number, change: Change): Promise<VersionRecord> {
    await this.journal.commit(change.actor, () => {
      this.refuseStale(model, change);
      this.state.requireVersion(model, version);
      const unchanged = this.state.require(model).aliases.get(alias) === version;
      return unchanged ? undefined : { kind: 'alias.set', model, alias, version };
    });
    return this.state.requireVersion(model, version);
  }

  /** @throws ModelNotFound, AliasNotFound, CommitUncertain */
  removeAlias(model: string, alias: string, change: Change): Promise<void> {
    return this.journal.commit(change.actor, () => {
      this.refuseStale(model, change);
      const { aliases } = this.state.require(model);
      if (!aliases.has(alias)) throw new AliasNotFound(model, alias, [...aliases.keys()]);
      return { kind: 'alias.removed', model, alias };
    });
  }

  /** @throws ModelNotFound, ModelChanged */
  private refuseStale(model: string, { ifMatch }: Change): void {
    const current = this.state.etagOf(model);
    const wanted = ifMatch?.split(',').map((tag) => tag.trim()); // RFC 9110, 13.1.1: one of several, or any
    if (ifMatch !== undefined && !wanted?.some((tag) => tag === '*' || tag === current)) throw new ModelChanged(model, ifMatch, current);
  }

  /** The version to go back to. @throws ModelNotFound, NothingToRollBack */
  private pastOf(model: string): VersionRecord {
    const { past, versions, production } = this.state.require(model);
    const number = past.findLast((version) => versions.has(version) && version !== production?.version);
    if (number === undefined) throw new NothingToRollBack(model);
    return this.state.requireVersion(model, number);
  }

  private async prove({
    model,
    file: { name, blob },
    others = [],
    metadata,
  }: Upload): Promise<Omit<VersionPublished, 'version' | 'actor' | 'correlationId'>> {
    const golden = metadata.golden ?? [];
    const report = await this.runtime.import({ path: blob.path, sha256: blob.digest }, (signature) => goldenTrials(golden, signature));
    const { engine, signature, unbounded, initializerBytes, options, labels, measured } = report;
    refuseMismatch(metadata, signature);
    refuseDeviation(golden, report.trials);
    const files = [{ name, blob }, ...others].map((file) => ({ path: file.name, size: file.blob.bytes, sha256: file.blob.digest }));
    const manifest: Manifest = { files, metadata };
    const executable = digestOf({ engine, file: blob.digest, options });
    await this.measurements.keep(executable, measured);
    const found = { engine, options, executable, signature, unbounded, initializerBytes, ...(labels && { labels }) };
    return { kind: 'version.published', model, digest: digestOf(manifest), manifest, ...found };
  }

  /** Bytes first, then the event. Where the bytes were condemned in between, they are written again under their new name. */
  private async record(upload: Upload, fresh: Fresh, actor: string): Promise<Published> {
    const staged = filesOf(upload).map(({ blob }) => blob);
    for (;;) {
      const names = staged.map(({ digest }) => this.state.blobName(digest));
      for (const [at, blob] of staged.entries()) await this.blobs.put(blob, names[at]);
      for (const name of names) this.faults.healed(name);
      const stands = (): boolean => staged.every(({ digest }, at) => this.state.blobName(digest) === names[at]);
      const published = await this.append(upload, fresh, actor, stands);
      if (published !== undefined) return published;
    }
  }

  /** @param stands whether the bytes still have the name under which they were written @returns undefined where they do not */
  private async append({ model, version }: Upload, fresh: Fresh, actor: string, stands: () => boolean): Promise<Published | undefined> {
    let created = false;
    let number: number | undefined;
    await this.journal.commit(actor, () => {
      if (!stands()) return void (number = undefined);
      const known = this.state.find(model);
      const equal = [...(known?.versions.values() ?? [])].find(({ digest }) => digest === fresh.digest);
      created = equal === undefined;
      number = equal?.version ?? version ?? (known?.highest ?? 0) + 1;
      if (version !== undefined && (number !== version || (created && known?.versions.has(version))))
        throw new VersionTaken(model, version);
      return created ? ({ ...fresh, version: number } as Decision) : undefined;
    });
    return number === undefined ? undefined : { record: this.state.requireVersion(model, number), created };
  }
}

function filesOf({ file, others = [] }: Upload): readonly UploadFile[] {
  return [file, ...others];
}

function reasonOf({ reason }: Change): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}
