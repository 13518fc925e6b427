// Figures of backups: a first one against the plainest thing that does the same work on the same disk in the same run, by turns, and one of
// an unchanged registry; and what predictions feel of one.
// usage: npm run --silent build && node bench/backup.mjs [copy] [predict]
import { execFileSync, fork } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { once } from 'node:events';
import { Agent, request } from 'node:http';

const GIB = 2 ** 30;
const FILES = 16;
const ROUNDS = 3;
const SELF = import.meta.filename;
const ROOT = join(import.meta.dirname, '..');
const load = createRequire(import.meta.url);
const dist = (path) => load(join(ROOT, 'dist', path));
const { Logger } = load('@nestjs/common');
Logger.overrideLogger(false);

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const verdict = (good) => (good ? 'met' : 'MISSED');

/** A registry in a folder and what takes its snapshots. */
async function houseOn(models, backupsDir, settings = {}) {
  const { BackupConfig } = dist('config/app-config');
  const { FileBlobStore } = dist('storage/file-blob.store');
  const { FileEventLog } = dist('storage/file-event.log');
  const { RegistryJournal } = dist('models/registry/registry-journal');
  const { RegistryState } = dist('models/registry/registry-state');
  const { BackupRepository } = dist('backup/snapshot/backup-repository');
  const { RegistrySource } = dist('backup/snapshot/registry-source');
  const { SnapshotManifests } = dist('backup/snapshot/snapshot-manifests');
  const { SnapshotSeal } = dist('backup/snapshot/snapshot-seal');
  const { SnapshotTaker } = dist('backup/snapshot/snapshot-taker');
  const state = new RegistryState();
  const log = new FileEventLog(models);
  const journal = new RegistryJournal(log, state, new FileBlobStore(models));
  await journal.readOn();
  const config = Object.assign(new BackupConfig(), { backupsDir, ...settings });
  const seal = new SnapshotSeal(config);
  const repository = new BackupRepository(new FileBlobStore(backupsDir), new FileEventLog(backupsDir));
  const manifests = new SnapshotManifests(repository, config);
  const taker = new SnapshotTaker(new RegistrySource(state, journal, log, new FileBlobStore(models)), repository, manifests, seal);
  const take = () => taker.take({ trigger: 'manual', actor: 'bench', correlationId: 'bench' });
  return { journal, repository, take };
}

/** Publishes a version of some files of random bytes, without an engine. */
async function fill(models, bytes) {
  const { journal } = await houseOn(models, join(models, '..', 'none'));
  const files = [];
  for (let at = 0; at < FILES; at++) {
    const content = randomBytes(bytes / FILES);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const folder = join(models, 'blobs', 'sha256', sha256.slice(0, 2));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, sha256), content, { flush: true });
    files.push({ path: `part-${at}.bin`, size: content.length, sha256 });
  }
  const made = { engine: 'onnx', executable: files[0].sha256, signature: { inputs: [], outputs: [] } };
  const version = { model: 'large', version: 1, digest: files[0].sha256, manifest: { files, metadata: {} } };
  await journal.commit('bench', () => ({ kind: 'version.published', ...version, ...made }));
}

async function timed(work) {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Runs in a child: what a process has learned of the disk must not help it in the next round. */
async function backUp(models, backups, encrypt) {
  const keyFile = join(models, '..', 'key');
  writeFileSync(keyFile, 'a key for a bench, of more than thirty-two bytes', { mode: 0o600 });
  const { take } = await houseOn(models, backups, encrypt === 'on' ? { keyFile, encrypt } : {});
  let record;
  const ms = await timed(async () => (record = await take()));
  process.send({ ms, newBytes: record.newBytes, manifest: record.manifest });
}

async function inChild(...args) {
  const child = fork(SELF, ['backUp', ...args]);
  const [said] = await once(child, 'message');
  await once(child, 'exit');
  return said;
}

async function copy(folder) {
  const models = join(folder, 'models');
  await fill(models, GIB);
  const source = join(models, 'blobs');
  const times = { ours: [], sealed: [], plain: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const target = join(folder, `copy-${round}`);
    const plain = 'cp -r "$0" "$1" && sync -f "$1" && find "$1" -type f -exec sha256sum {} +';
    times.plain.push(await timed(() => execFileSync('sh', ['-c', plain, source, target])));
    rmSync(target, { recursive: true });
    const backups = join(folder, `backups-${round}`);
    times.ours.push((await inChild(models, backups, 'off')).ms);
    if (round === ROUNDS - 1) await unchanged(models, backups);
    rmSync(backups, { recursive: true });
    times.sealed.push((await inChild(models, backups, 'on')).ms);
    rmSync(backups, { recursive: true });
  }
  const [ours, sealed, plain] = [times.ours, times.sealed, times.plain].map(median);
  const share = plain / ours;
  console.log(`first backup of 1 GiB in ${FILES} blobs: ${ours.toFixed(0)} ms; cp, sync -f, sha256sum: ${plain.toFixed(0)} ms; ${share.toFixed(2)} of their speed (bar 0.70: ${verdict(share >= 0.7)})`); // prettier-ignore
  console.log(`  signed and encrypted: ${sealed.toFixed(0)} ms, ${(plain / sealed).toFixed(2)}`);
}

async function unchanged(models, backups) {
  const { ms, newBytes, manifest } = await inChild(models, backups, 'off');
  const size = statSync(join(backups, 'blobs', 'sha256', manifest.slice(0, 2), manifest)).size;
  const event = readFileSync(join(backups, 'log', '00000000000000000002.json')).length;
  const beyond = newBytes + event - size;
  console.log(`second backup, unchanged: ${ms.toFixed(0)} ms, its manifest of ${size} bytes and ${beyond} more (bar 65536: ${verdict(beyond <= 65_536)})`); // prettier-ignore
}

/** A server in a process of its own, that takes a snapshot when it is told to. */
async function serve() {
  const { NestFactory } = load('@nestjs/core');
  const { AppModule } = dist('app.module');
  const { HttpAdapter } = dist('http/http.adapter');
  const { APPLICATION_OPTIONS, applyHttpPipeline } = dist('http/http-pipeline');
  const { BringUp } = dist('models/serving/bring-up');
  const { SnapshotTaker } = dist('backup/snapshot/snapshot-taker');
  const app = await NestFactory.create(AppModule, new HttpAdapter(), { ...APPLICATION_OPTIONS, logger: false });
  applyHttpPipeline(app);
  await app.listen(0, '127.0.0.1');
  const example = await app.get(BringUp).finished;
  const take = () => app.get(SnapshotTaker).take({ trigger: 'manual', actor: 'bench', correlationId: 'bench' });
  process.on('message', () => void timed(take).then((ms) => process.send({ ms })));
  process.send({ port: app.getHttpServer().address().port, example });
}

const PER_SECOND = 200;
const QUIET_MS = 6000;

/** Asks so many times a second, whoever has answered or not, until it is told to end. @returns how long each took, milliseconds */
function asking({ port, example }) {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const took = [];
  let failed = 0;
  const ask = () => {
    const startedAt = performance.now();
    const answered = (response) => response.resume().on('end', () => (response.statusCode === 200 ? took.push(performance.now() - startedAt) : failed++)); // prettier-ignore
    // others each time, so that each is computed
    const body = example.request.replaceAll(/[0-9]+\.[0-9]+/g, () => (1 + Math.random() * 5).toFixed(6));
    const headers = { 'content-type': 'application/json' };
    const asked = request({ agent, port, host: '127.0.0.1', method: 'POST', path: `/api/v1/predict/${example.model}`, headers }, answered);
    asked.on('error', () => failed++).end(body);
  };
  const timer = setInterval(ask, 1000 / PER_SECOND);
  return async () => {
    clearInterval(timer);
    await sleep(500);
    agent.destroy();
    return { took, failed };
  };
}

const p99 = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)];

/** What predictions feel of a first backup of 1 GiB that the same process takes. */
async function predict(folder) {
  const models = join(folder, 'served');
  const backups = join(folder, 'served-backups');
  const env = { ...process.env, MODELS_DIR: models, BACKUPS_DIR: backups, BACKUP_SCHEDULE: 'off', LOG_LEVEL: 'silent' };
  const child = fork(SELF, ['serve'], { env });
  const [told] = await once(child, 'message');
  await fill(models, GIB);
  await sleep(3000); // the follower has read it
  const rounds = { quiet: [], during: [] };
  let failures = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const quiet = asking(told);
    await sleep(QUIET_MS);
    const before = await quiet();
    const busy = asking(told);
    child.send('take');
    await once(child, 'message');
    const during = await busy();
    rounds.quiet.push(p99(before.took));
    rounds.during.push(p99(during.took));
    failures += before.failed + during.failed;
    rmSync(backups, { recursive: true });
  }
  child.kill();
  const [quiet, during] = [rounds.quiet, rounds.during].map(median);
  const times = during / quiet;
  console.log(`predict p99 at ${PER_SECOND}/s: ${quiet.toFixed(2)} ms; during a first backup of 1 GiB: ${during.toFixed(2)} ms; ${times.toFixed(2)} times (bar 1.5: ${verdict(times <= 1.5)}), ${failures} failed`); // prettier-ignore
}

if (process.argv[2] === 'backUp') await backUp(...process.argv.slice(3));
else if (process.argv[2] === 'serve') await serve();
else {
  const wanted = process.argv.slice(2);
  const folder = mkdtempSync(join(tmpdir(), 'analytics-api-bench-'));
  try {
    for (const [name, work] of Object.entries({ copy, predict })) if (wanted.length === 0 || wanted.includes(name)) await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
