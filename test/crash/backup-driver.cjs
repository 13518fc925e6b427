// Takes, prunes and restores real snapshots of a real registry, without a server and without an engine, and says on standard output what
// was acknowledged, as registry-driver.cjs does. ROOT holds models/ and backups/.
//
// usage: node backup-driver.cjs ROOT [--mutant NAME] STEP...
//   publish:MODEL:TEXT   upload a file of that text (TEXTx1000000: so often)
//   promote:MODEL:VERSION  alias:MODEL:ALIAS:VERSION  delete:MODEL  collect: what may happen to a registry
//   take                 take a snapshot
//   sealed               the same, signed and encrypted
//   verify               read every byte of the newest snapshot
//   prune                delete all but the newest one, collect what one before saw that nobody needs
//   restore              make models/ what the oldest snapshot says
//   place:FOLDER         restore it into a folder of ROOT that has no registry
//   start:FOLDER         as a server does that finds a registry there
//   orphan:TEXT          put that into backups/, as a backup does that never comes to its end
//   spare:BYTES          from here on so much must stay free on the volume of backups/
// answers: {"ack":"take","id":…,"seq":…}, {"ack":"restore","id":…,"event":…}, {"ack":"prune","deleted":[ID…],"removed":…} …, or {"error":CODE,"reason":…,"phase":…,"step":…}; then the next step
const { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } = require('node:fs');
const { dirname, join } = require('node:path');
const { Logger } = require('@nestjs/common');
const { mutate } = require('./mutants.cjs');
const { dist, registryHouse } = require('./registry-house.cjs');

const [root, ...steps] = process.argv.slice(2);
if (steps[0] === '--mutant') {
  mutate(steps[1], dist);
  steps.splice(0, 2);
}
Logger.overrideLogger(false);
const KEY = 'a key that is known to whoever reads this test, and to nobody else';
const say = (value) => writeSync(1, `${JSON.stringify(value)}\n`);
const contentOf = (text) => {
  const [, word, times] = /^(.*)x(\d+)$/.exec(text) ?? [];
  return [Buffer.from(times === undefined ? text : word.repeat(Number(times)))];
};

/** As somebody keeps a key who loses none, whatever happens to this machine. */
function keep(path, text) {
  if (!existsSync(path)) {
    const fresh = `${path}-${process.pid}`;
    writeFileSync(fresh, text, { mode: 0o600, flush: true });
    renameSync(fresh, path);
  }
  // whoever finds it there knows not that it is on disk
  const folder = openSync(dirname(path));
  fsyncSync(folder);
  closeSync(folder);
}

async function main() {
  mkdirSync(root, { recursive: true });
  const keyFile = join(root, 'key');
  keep(keyFile, KEY);
  const { blobs, log, state, journal, uploads, stage, stages, description, deletion, collector, versionBlobs, catalog } = registryHouse(join(root, 'models')); // prettier-ignore
  await journal.onModuleInit();
  const { BackupConfig } = dist('config/app-config');
  const { FileBlobStore } = dist('storage/file-blob.store');
  const { FileEventLog } = dist('storage/file-event.log');
  const { ObjectCollector } = dist('backup/retention/object-collector');
  const { Pruner } = dist('backup/retention/pruner');
  const { UnreferencedObjects } = dist('backup/retention/unreferenced-objects');
  const { EmptyPlace } = dist('backup/restore/empty-place');
  const { Restorer } = dist('backup/restore/restorer');
  const { SnapshotSources } = dist('backup/restore/restore-source');
  const { BackupRepository } = dist('backup/snapshot/backup-repository');
  const { RegistrySource } = dist('backup/snapshot/registry-source');
  const { failureOf } = dist('backup/snapshot/snapshot-failure');
  const { SnapshotInventory } = dist('backup/snapshot/snapshot-inventory');
  const { SnapshotManifests } = dist('backup/snapshot/snapshot-manifests');
  const { SnapshotObjects } = dist('backup/snapshot/snapshot-objects');
  const { SnapshotSeal } = dist('backup/snapshot/snapshot-seal');
  const { SnapshotTaker } = dist('backup/snapshot/snapshot-taker');
  const { SnapshotVerifier } = dist('backup/verify/snapshot-verifier');

  const house = (more, spare = 0) => {
    const config = Object.assign(new BackupConfig(), { backupsDir: join(root, 'backups'), keepLast: 1, keepDaily: 0, ...more });
    const seal = new SnapshotSeal(config);
    const repository = new BackupRepository(new FileBlobStore(config.backupsDir, spare), new FileEventLog(config.backupsDir));
    const manifests = new SnapshotManifests(repository, config);
    const inventory = new SnapshotInventory(repository, manifests);
    const taker = new SnapshotTaker(new RegistrySource(state, journal, log, blobs), repository, manifests, seal);
    const objects = new SnapshotObjects(repository.blobs, seal);
    const verifier = new SnapshotVerifier(repository, inventory, manifests, objects, seal);
    const objectCollector = new ObjectCollector(repository, manifests, new UnreferencedObjects(config));
    const pruner = new Pruner(config, repository, inventory, manifests, objectCollector);
    const sources = new SnapshotSources(repository, manifests, objects, seal);
    const restorer = new Restorer(state, journal, blobs, versionBlobs, taker, catalog);
    return { repository, inventory, taker, verifier, pruner, sources, restorer };
  };
  const houses = (spare) => [house({}, spare), house({ keyFile, encrypt: 'on' }, spare)];
  let [plain, sealed] = houses(0);
  const take = async ({ taker }) => {
    const { id, seq } = await taker.take({ trigger: 'manual', actor: 'driver', correlationId: 'driver' });
    return { id, seq };
  };
  /** Reads the oldest snapshot that is not deleted, as a restore does. */
  const fromOldest = async (work) => {
    const { id, encrypted } = (await plain.inventory.list()).findLast(({ deleted }) => deleted === undefined);
    const { sources, restorer } = encrypted ? sealed : plain;
    const source = await sources.open(id, 'driver', true);
    try {
      const { event, safety } = await work(source, restorer);
      return { id, event, safety };
    } finally {
      await source.close();
    }
  };
  const by = { actor: 'driver' };
  say({ ack: 'open', seq: state.position.seq });
  const works = {
    async publish(model, text) {
      const { record } = await uploads.accept(
        { model, file: { name: 'model.onnx', blob: await stage(contentOf(text)) }, metadata: {} },
        { actor: 'driver' },
      );
      return { version: record.version };
    },
    promote: async (model, version) => void (await stages.move(model, Number(version), 'production', by)),
    alias: async (model, alias, version) => void (await description.setAlias(model, alias, Number(version), by)),
    delete: async (model) => void (await deletion.deleteModel(model, by)),
    async collect() {
      const { condemned } = await collector.collect('driver', { minAgeMs: -1, undeleteMs: -1 });
      return { condemned };
    },
    take: () => take(plain),
    sealed: () => take(sealed),
    async verify() {
      const [newest] = await plain.inventory.list();
      const able = newest.encrypted ? sealed : plain;
      const { ok, findings } = await able.verifier.verify(newest.id, { level: 'data' });
      return { id: newest.id, ok, findings };
    },
    async prune() {
      const { deleted, removed } = await plain.pruner.prune('driver', { minAgeMs: 0 });
      return { deleted, removed: removed.length };
    },
    restore: () => fromOldest((source, restorer) => restorer.restore(source, 'driver', {})),
    place: async (folder) => ({ folder, ...(await fromOldest((source) => new EmptyPlace(join(root, folder)).restore(source, 'driver'))) }),
    async start(folder) {
      const { StorageConfig } = dist('config/app-config');
      const { RegistryJournal } = dist('models/registry/registry-journal');
      const { RegistryState } = dist('models/registry/registry-state');
      const { openStorage } = dist('storage/open-storage');
      const { StorageKeeper } = dist('storage/storage-keeper.service');
      const figures = { sweptBytes: { inc() {} }, freeBytes: { set() {} }, capacityBytes: { set() {} } };
      const keeper = new StorageKeeper(Object.assign(new StorageConfig(), { modelsDir: join(root, folder) }), figures);
      const { log: itsLog, blobs: itsBlobs } = openStorage(join(root, folder));
      const its = new RegistryState();
      await new RegistryJournal(itsLog, its, itsBlobs, keeper).onModuleInit();
      return { seq: its.position.seq };
    },
    async orphan(text) {
      const { blobs: objects } = plain.repository;
      const staged = await objects.stage(contentOf(text), 2 ** 31);
      await objects.put(staged, (await plain.repository.history()).blobName(staged.digest));
      await staged.discard();
      return { sha256: staged.digest };
    },
    async spare(bytes) {
      [plain, sealed] = houses(Number(bytes));
      return { bytes: Number(bytes) };
    },
  };
  for (const step of steps) {
    const [name, ...args] = step.split(':');
    try {
      say({ ack: name, ...(await works[name](...args)) });
    } catch (error) {
      const { reason, phase, errno } = error.failure ?? failureOf(error, name);
      say({ error: error.code ?? String(error), reason, phase, errno, step });
    }
  }
}

void main().catch((error) => {
  say({ error: error.code ?? String(error), step: 'open' });
  process.exitCode = 1;
});
