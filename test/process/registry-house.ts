import { Readable } from 'node:stream';
import { RuntimeConfig } from '../../src/config/app-config';
import { ModelDescription } from '../../src/models/registry/model-description';
import { RegistryChanges } from '../../src/models/registry/registry-changes';
import { RegistryJournal } from '../../src/models/registry/registry-journal';
import { RegistryState } from '../../src/models/registry/registry-state';
import { VersionBlobs } from '../../src/models/registry/version-blobs';
import { VersionDeletion } from '../../src/models/registry/version-deletion';
import { VersionStages } from '../../src/models/registry/version-stages';
import { GoldenReplay } from '../../src/models/serving/golden-replay';
import { ModelCatalog } from '../../src/models/serving/model-catalog';
import { VersionFaults } from '../../src/models/serving/version-faults';
import { BlobCollector } from '../../src/models/upkeep/blob-collector';
import { ModelUpload } from '../../src/models/upload/model-upload';
import type { Upload } from '../../src/models/upload/upload-reader';
import { VersionProof } from '../../src/models/upload/version-proof';
import { type Published, VersionPublisher } from '../../src/models/upload/version-publisher';
import type { ModelRuntime } from '../../src/runtime/model-runtime.port';
import type { BlobStore } from '../../src/storage/blob-store.port';
import type { EventLog } from '../../src/storage/event-log.port';
import type { StorageKeeper } from '../../src/storage/storage-keeper.service';
import { AnyRuntime, residencyOver } from './any-runtime';

/** A registry as the application wires it, on stores of the test's own. */
export class RegistryHouse {
  readonly state = new RegistryState();
  readonly faults = new VersionFaults();
  readonly journal: RegistryJournal;
  readonly catalog: ModelCatalog;
  readonly stages: VersionStages;
  readonly description: ModelDescription;
  readonly deletion: VersionDeletion;
  readonly uploads: ModelUpload;
  readonly collector: BlobCollector;
  readonly versionBlobs: VersionBlobs;

  constructor(
    readonly blobs: BlobStore,
    readonly log: EventLog,
    readonly runtime: ModelRuntime = new AnyRuntime(),
    keeper?: unknown,
    derived?: string,
  ) {
    const { state, faults } = this;
    this.journal = new RegistryJournal(log, state, blobs, keeper as StorageKeeper | undefined);
    const { residency, measurements } = residencyOver(runtime, blobs, { derived });
    this.catalog = new ModelCatalog(state, residency, faults);
    const changes = new RegistryChanges(state, this.journal);
    this.versionBlobs = new VersionBlobs(state, blobs, faults);
    const { versionBlobs } = this;
    this.stages = new VersionStages(state, changes, this.catalog, new GoldenReplay(new RuntimeConfig()));
    this.description = new ModelDescription(state, changes);
    this.deletion = new VersionDeletion(state, changes, this.catalog, blobs, versionBlobs);
    const proof = new VersionProof(this.journal, runtime, measurements);
    const publisher = new VersionPublisher(state, changes, proof, versionBlobs);
    this.uploads = new ModelUpload(publisher, this.description, this.stages, this.catalog);
    this.collector = new BlobCollector(state, this.journal, blobs);
  }

  /** Uploads a file of that text. */
  async publish(model: string, content: string, more: Partial<Upload> & { readonly key?: string } = {}): Promise<Published> {
    const { key, ...upload } = more;
    const blob = await this.blobs.stage(Readable.from([Buffer.from(content)]), 2 ** 20);
    const change = { actor: 'ada', ...(key !== undefined && { idempotencyKey: key }) };
    return this.uploads.accept({ model, file: { name: 'model.onnx', blob }, metadata: {}, ...upload }, change);
  }
}
