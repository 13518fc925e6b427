// Takes real snapshots of a real registry, without a server and without an engine, and says on standard output what was acknowledged, as
// registry-driver.cjs does. ROOT holds models/ and backups/.
//
// usage: node backup-driver.cjs ROOT [--mutant NAME] STEP...
//   publish:MODEL:TEXT   upload a file of that text (TEXTx1000000: so often)
//   take                 take a snapshot
//   sealed               the same, signed and encrypted
//   verify               read every byte of the newest snapshot
// answers: {"ack":"take","id":…,"seq":…} …, or {"error":CODE,"reason":…,"phase":…,"step":…}; then the next step
const { existsSync, mkdirSync, writeFileSync, writeSync } = require('node:fs');
const { join } = require('node:path');
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

async function main() {
  mkdirSync(root, { recursive: true });
  const keyFile = join(root, 'key');
  if (!existsSync(keyFile)) writeFileSync(keyFile, KEY, { mode: 0o600 });
  const { blobs, log, state, journal, uploads, stage } = registryHouse(join(root, 'models'));
  await journal.onModuleInit();
  const { BackupConfig } = dist('config/app-config');
  const { FileBlobStore } = dist('storage/file-blob.store');
  const { FileEventLog } = dist('storage/file-event.log');
  const { BackupRepository } = dist('backup/snapshot/backup-repository');
  const { RegistrySource } = dist('backup/snapshot/registry-source');
  const { SnapshotInventory } = dist('backup/snapshot/snapshot-inventory');
  const { SnapshotManifests } = dist('backup/snapshot/snapshot-manifests');
  const { SnapshotObjects } = dist('backup/snapshot/snapshot-objects');
  const { SnapshotSeal } = dist('backup/snapshot/snapshot-seal');
  const { SnapshotTaker } = dist('backup/snapshot/snapshot-taker');
  const { SnapshotVerifier } = dist('backup/verify/snapshot-verifier');

  const house = (more) => {
    const config = Object.assign(new BackupConfig(), { backupsDir: join(root, 'backups'), ...more });
    const seal = new SnapshotSeal(config);
    const repository = new BackupRepository(new FileBlobStore(config.backupsDir), new FileEventLog(config.backupsDir));
    const manifests = new SnapshotManifests(repository, config);
    const inventory = new SnapshotInventory(repository, manifests);
    const taker = new SnapshotTaker(new RegistrySource(state, journal, log, blobs), repository, manifests, seal);
    const objects = new SnapshotObjects(repository.blobs, seal);
    return { inventory, taker, verifier: new SnapshotVerifier(repository, inventory, manifests, objects, seal) };
  };
  const plain = house({});
  const sealed = house({ keyFile, encrypt: 'on' });
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
  };
  for (const step of steps) {
    const [name, ...args] = step.split(':');
    try {
      say({ ack: name, ...(await works[name](...args)) });
    } catch (error) {
      const { reason, phase, errno } = error.failure ?? {};
      say({ error: error.code ?? String(error), reason, phase, errno, step });
    }
  }
}

void main().catch((error) => {
  say({ error: error.code ?? String(error), step: 'open' });
  process.exitCode = 1;
});
