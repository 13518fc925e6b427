// Takes and prunes real snapshots of a real registry, without a server and without an engine, and says on standard output what was
// acknowledged, as registry-driver.cjs does. ROOT holds models/ and backups/.
//
// usage: node backup-driver.cjs ROOT [--mutant NAME] STEP...
//   publish:MODEL:TEXT   upload a file of that text (TEXTx1000000: so often)
//   take                 take a snapshot
//   sealed               the same, signed and encrypted
//   verify               read every byte of the newest snapshot
//   prune                delete all but the newest one, collect what one before saw that nobody needs
//   orphan:TEXT          put that into backups/, as a backup does that never comes to its end
//   spare:BYTES          from here on so much must stay free on the volume of backups/
// answers: {"ack":"take","id":…,"seq":…}, {"ack":"prune","deleted":[ID…],"removed":…} …, or {"error":CODE,"reason":…,"phase":…,"step":…}; then the next step
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
  const { blobs, log, state, journal, uploads, stage } = registryHouse(join(root, 'models'));
  await journal.onModuleInit();
  const { BackupConfig } = dist('config/app-config');
  const { FileBlobStore } = dist('storage/file-blob.store');
  const { FileEventLog } = dist('storage/file-event.log');
  const { ObjectCollector } = dist('backup/retention/object-collector');
  const { Pruner } = dist('backup/retention/pruner');
  const { UnreferencedObjects } = dist('backup/retention/unreferenced-objects');
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
    const collector = new ObjectCollector(repository, manifests, new UnreferencedObjects(config));
    return { repository, inventory, taker, verifier, pruner: new Pruner(config, repository, inventory, manifests, collector) };
  };
  const houses = (spare) => [house({}, spare), house({ keyFile, encrypt: 'on' }, spare)];
  let [plain, sealed] = houses(0);
  const take = async ({ taker }) => {
    const { id, seq } = await taker.take({ trigger: 'manual', actor: 'driver', correlationId: 'driver' });
    return { id, seq };
  };
  say({ ack: 'open', seq: state.position.seq });
  const works = {
    async publish(model, text) {
      const { record } = await uploads.accept(
        { model, file: { name: 'model.onnx', blob: await stage(contentOf(text)) }, metadata: {} },
        { actor: 'driver' },
      );
      return { version: record.version };
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
