// The registry of dist/ on real files, without a server and without an engine, for the drivers of the crash harnesses.
const { join } = require('node:path');
const { Readable } = require('node:stream');

const dist = (path) => require(join(__dirname, '..', '..', 'dist', path));
exports.dist = dist;

/** What models cost is kept by nobody: it is disposable, and never flushed. */
const NO_MEASUREMENTS = { find: async () => undefined, of: () => undefined, keep: async () => {} };

/** Only after `mutate`: what a mutant changes is what is built. */
exports.registryHouse = (root) => {
  const { FileBlobStore } = dist('storage/file-blob.store');
  const { FileEventLog } = dist('storage/file-event.log');
  const { ModelRuntime } = dist('runtime/model-runtime.port');
  const { ModelsConfig, RuntimeConfig } = dist('config/app-config');
  const { ModelDescription } = dist('models/registry/model-description');
  const { RegistryChanges } = dist('models/registry/registry-changes');
  const { RegistryJournal } = dist('models/registry/registry-journal');
  const { RegistryState } = dist('models/registry/registry-state');
  const { VersionBlobs } = dist('models/registry/version-blobs');
  const { VersionDeletion } = dist('models/registry/version-deletion');
  const { VersionStages } = dist('models/registry/version-stages');
  const { GoldenReplay } = dist('models/serving/golden-replay');
  const { ModelCatalog } = dist('models/serving/model-catalog');
  const { ModelResidency } = dist('models/serving/model-residency');
  const { VersionFaults } = dist('models/serving/version-faults');
  const { BlobCollector } = dist('models/upkeep/blob-collector');
  const { ModelUpload } = dist('models/upload/model-upload');
  const { VersionProof } = dist('models/upload/version-proof');
  const { VersionPublisher } = dist('models/upload/version-publisher');

  /** Takes every file for a model: what an engine makes of one is not what is tried here. */
  class AnyRuntime extends ModelRuntime {
    async import() {
      return { engine: 'onnx', signature: { inputs: [], outputs: [] }, unbounded: [], initializerBytes: 0, options: {}, trials: [] };
    }
    async load() {
      return { run: async () => ({ outputs: [], inferMs: 0 }), unload: async () => {} };
    }
  }

  const blobs = new FileBlobStore(root);
  const log = new FileEventLog(root);
  const state = new RegistryState();
  const journal = new RegistryJournal(log, state, blobs);
  const faults = new VersionFaults();
  const runtime = new AnyRuntime();
  const residency = new ModelResidency(runtime, blobs, NO_MEASUREMENTS, new RuntimeConfig(), new ModelsConfig());
  const catalog = new ModelCatalog(state, residency, faults);
  const changes = new RegistryChanges(state, journal);
  const versionBlobs = new VersionBlobs(state, blobs, faults);
  const stages = new VersionStages(state, changes, catalog, new GoldenReplay(new RuntimeConfig()));
  const description = new ModelDescription(state, changes);
  const deletion = new VersionDeletion(state, changes, catalog, blobs, versionBlobs);
  const publisher = new VersionPublisher(state, changes, new VersionProof(journal, runtime, NO_MEASUREMENTS), versionBlobs);
  const uploads = new ModelUpload(publisher, description, stages, catalog);
  const collector = new BlobCollector(state, journal, blobs);

  /** Stages bytes, as an upload does that arrives. */
  const stage = (chunks) => blobs.stage(Readable.from(chunks), 2 ** 31);
  return { blobs, log, state, journal, catalog, stages, description, deletion, uploads, collector, versionBlobs, stage };
};
