// Does real registry work on a folder, without a server and without an engine, and says on standard output what was acknowledged: one JSON
// object a line, written at once. The crash harnesses kill it, cut its power, and fail its system calls.
//
// usage: node registry-driver.cjs ROOT [--mutant NAME] STEP...
//   publish:MODEL:TEXT[:STAGE]   upload a file of that text (a repeated `x1000000` makes it long: TEXTx1000000)
//   promote:MODEL:VERSION        move a version into production
//   collect                      take away what no version needs, however young
//   orphan:TEXT                  put a blob without an event, as an upload does that is lost in between
//   checkpoint                   write a checkpoint of the state
// answers: {"ack":"publish","model":…,"version":…,"sha256":…} …, or {"error":CODE,"step":…} for a step that failed; then the next step
const { writeSync } = require('node:fs');
const { join } = require('node:path');
const { Readable } = require('node:stream');

const dist = (path) => require(join(__dirname, '..', '..', 'dist', path));
const { Logger } = require('@nestjs/common');
const { mutate } = require('./mutants.cjs');

const [root, ...rest] = process.argv.slice(2);
if (rest[0] === '--mutant') {
  mutate(rest[1], dist);
  rest.splice(0, 2);
}

Logger.overrideLogger(false);
const { FileBlobStore } = dist('storage/file-blob.store');
const { FileEventLog } = dist('storage/file-event.log');
const { ModelRuntime } = dist('runtime/model-runtime.port');
const { RegistryState } = dist('models/registry/registry-state');
const { RegistryJournal } = dist('models/registry/registry-journal');
const { ModelCatalog } = dist('models/serving/model-catalog');
const { ModelResidency } = dist('models/serving/model-residency');
const { ModelsConfig, RuntimeConfig } = dist('config/app-config');
const { ModelRegistry } = dist('models/model-registry.service');
const { BlobCollector } = dist('models/upkeep/blob-collector');
const { VersionFaults } = dist('models/serving/version-faults');

/** Takes every file for a model: what an engine makes of one is not what is tried here. */
class AnyRuntime extends ModelRuntime {
  async import() {
    return { engine: 'onnx', signature: { inputs: [], outputs: [] }, unbounded: [], initializerBytes: 0, options: {}, trials: [] };
  }
  async load() {
    return { run: async () => ({ outputs: [], queueMs: 0, inferMs: 0 }), unload: async () => {} };
  }
}

/** What models cost is kept by nobody: it is disposable, and never flushed. */
const NO_MEASUREMENTS = { find: async () => undefined, of: () => undefined, keep: async () => {} };

const say = (value) => writeSync(1, `${JSON.stringify(value)}\n`);
const contentOf = (text) => {
  const [, word, times] = /^(.*)x(\d+)$/.exec(text) ?? [];
  return times === undefined ? [Buffer.from(text)] : Array.from({ length: Math.ceil(times / 1000) }, () => Buffer.from(word.repeat(1000)));
};

async function main() {
  const blobs = new FileBlobStore(root);
  const log = new FileEventLog(root);
  const state = new RegistryState();
  const journal = new RegistryJournal(log, state);
  const faults = new VersionFaults();
  const residency = new ModelResidency(new AnyRuntime(), blobs, NO_MEASUREMENTS, new RuntimeConfig(), new ModelsConfig());
  const catalog = new ModelCatalog(state, residency, faults);
  const registry = new ModelRegistry(state, journal, catalog, new AnyRuntime(), blobs, faults, NO_MEASUREMENTS);
  const collector = new BlobCollector(state, journal, blobs);
  await journal.onModuleInit();
  say({ ack: 'open', seq: state.position.seq });

  const steps = {
    async publish(model, text, stage) {
      const blob = await blobs.stage(Readable.from(contentOf(text)), 2 ** 31);
      const upload = { model, file: { name: 'model.onnx', blob }, metadata: {}, ...(stage && { stage }) };
      const { record } = await registry.publish(upload, 'driver');
      return { model, version: record.version, sha256: blob.digest, blob: record.blob };
    },
    async promote(model, version) {
      await registry.move(model, Number(version), 'production', { actor: 'driver' });
      return { model, version: Number(version) };
    },
    async collect() {
      return { condemned: (await collector.collect('driver', 0)).condemned };
    },
    async orphan(text) {
      const blob = await blobs.stage(Readable.from(contentOf(text)), 2 ** 31);
      await blobs.put(blob, state.blobName(blob.digest));
      await blob.discard();
      return { sha256: blob.digest };
    },
    async checkpoint() {
      await journal.saveCheckpoint();
      return { seq: state.position.seq };
    },
  };
  for (const step of rest) {
    const [name, ...args] = step.split(':');
    try {
      say({ ack: name, ...(await steps[name](...args)) });
    } catch (error) {
      say({ error: error.code ?? String(error), step });
    }
  }
}

void main().catch((error) => {
  say({ error: error.code ?? String(error), step: 'open' });
  process.exitCode = 1;
});
