// Figures of the storage, each against the plainest thing that does the same work on the same disk in the same run, by turns.
// usage: npm run --silent build && node bench/storage.mjs [copy] [small] [fold] [upload]
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  createReadStream,
  fsyncSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TMPFS = 0x01021994;
const SELF = import.meta.filename;
const ROOT = join(import.meta.dirname, '..');
const dist = (path) => createRequire(import.meta.url)(join(ROOT, 'dist', path));
const { Logger } = createRequire(import.meta.url)('@nestjs/common');
const { FileBlobStore } = dist('storage/file-blob.store');
const { FileEventLog } = dist('storage/file-event.log');
const { LOG_START } = dist('storage/event-log.port');
const { sealEvent } = dist('storage/stored-event');
const { RegistryJournal } = dist('models/registry/registry-journal');
const { RegistryState } = dist('models/registry/registry-state');

Logger.overrideLogger(false);
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const ms = (value) => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
const verdict = (good) => (good ? 'met' : 'MISSED');

async function timed(work) {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Lets several ways do the same by turns, so that what else the disk does hurts all of them. @returns the median of each, milliseconds */
async function byTurns(rounds, ways) {
  const times = ways.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [at, way] of ways.entries()) times[at].push(await way(round));
  }
  return times.map(median);
}

/** A store and a log of their own, and what an upload does with them. */
class Registry {
  at = LOG_START;

  constructor(root) {
    this.blobs = new FileBlobStore(root);
    this.log = new FileEventLog(root);
  }

  async keep(source) {
    const staged = await this.blobs.stage(source, 2 * GIB);
    await this.blobs.put(staged);
    await staged.discard();
    this.at = (await this.log.append(this.at, { kind: 'bench', actor: 'bench', correlationId: 'bench', digest: staged.digest })).position;
  }
}

/** A file of random bytes, written in pieces. */
function fileOf(path, bytes) {
  const file = openSync(path, 'w');
  for (let left = bytes; left > 0; left -= Math.min(left, 4 * MIB)) writeSync(file, randomBytes(Math.min(left, 4 * MIB)));
  fsyncSync(file);
  closeSync(file);
  return path;
}

/** Makes other bytes of a file, and waits until the disk has them. */
function changeFile(path) {
  const file = openSync(path, 'r+');
  writeSync(file, randomBytes(16), 0, 16, 0);
  fsyncSync(file);
  closeSync(file);
}

/** A blob and its event, against cp, sync and sha256sum of the same bytes. */
async function copy(folder, bytes, rounds) {
  const registry = new Registry(join(folder, 'registry'));
  await registry.keep(Readable.from([randomBytes(KIB)])); // makes the folders
  const source = fileOf(join(folder, 'source'), bytes);
  const ours = async () => {
    changeFile(source); // a blob that is there already would only be checked
    return timed(() => registry.keep(createReadStream(source)));
  };
  const plain = async (round) => {
    const target = join(folder, `copy-${round}`);
    return timed(() => execFileSync('sh', ['-c', 'cp "$0" "$1" && sync -f "$1" && sha256sum "$1"', source, target]));
  };
  const [our, its] = await byTurns(rounds, [ours, plain]);
  const share = its / our;
  const name = bytes >= GIB ? `${bytes / GIB} GiB` : `${bytes / MIB} MiB`;
  console.log(
    `blob and event of ${name}: ${ms(our)}; cp, sync -f, sha256sum: ${ms(its)}; ${share.toFixed(2)} of their speed (bar 0.70: ${verdict(share >= 0.7)})`,
  );
  rmSync(folder, { recursive: true });
}

/**
 * Seen with strace -e trace=fsync: the staged blob, its folder, the staged event, the folder of the log. The first blob of each of the
 * 256 folders costs one or two more, which is why all of these are in one.
 */
const FLUSHES = 4;

/** Many small blobs and their events, against as many flushes with nothing around them. */
async function small(folder, rounds, count) {
  const registry = new Registry(join(folder, 'registry'));
  const contents = inOneFolder(count * rounds + 1);
  await registry.keep(Readable.from([contents.pop()]));
  const ours = () =>
    timed(async () => {
      for (let n = 0; n < count; n++) await registry.keep(Readable.from([contents.pop()]));
    });
  const bytes = randomBytes(KIB);
  const file = openSync(join(folder, 'flushed'), 'w');
  const plain = () =>
    timed(() => {
      for (let n = 0; n < count * FLUSHES; n++) {
        writeSync(file, bytes);
        fsyncSync(file);
      }
    });
  let name = 0;
  const inNewFiles = () =>
    timed(() => {
      for (let n = 0; n < count * FLUSHES; n++) writeFileSync(join(folder, `file-${name++}`), bytes, { flush: true });
    });
  const blocking = () =>
    timed(() => {
      for (let n = 0; n < (count * FLUSHES) / 2; n++) keepBlocking(folder, name++, bytes);
    });
  const [our, ...others] = (await byTurns(rounds, [ours, plain, inNewFiles, blocking])).map((total) => total / count);
  closeSync(file);
  const [its, files, calls] = others;
  const share = (other) => (other / our).toFixed(2);
  const met = verdict(its / our >= 0.7);
  console.log(
    `blob and event of 1 KiB: ${ms(our)}; ${FLUSHES} bare fsyncs of 1 KiB: ${ms(its)}; ${share(its)} of their speed (bar 0.70: ${met})`,
  );
  console.log(
    `  ${FLUSHES} new files of 1 KiB, each with its fsync: ${ms(files)}, ${share(files)}; what has to be done, but holding up the process: ${ms(calls)}, ${share(calls)}`,
  );
  rmSync(folder, { recursive: true });
}

/** The system calls without which a new name does not survive a power cut, and nothing else: two flushes. */
function keepBlocking(folder, name, bytes) {
  const staged = join(folder, `staged-${name}`);
  writeFileSync(staged, bytes, { flush: true });
  linkSync(staged, join(folder, `kept-${name}`));
  const parent = openSync(folder, 'r');
  fsyncSync(parent);
  closeSync(parent);
  unlinkSync(staged);
}

/** Contents of 1 KiB whose blobs all belong into the folder `00`. */
function inOneFolder(count) {
  const found = [];
  const bytes = randomBytes(KIB);
  for (let n = 0; found.length < count; n++) {
    bytes.writeUInt32LE(n);
    if (createHash('sha256').update(bytes).digest()[0] === 0) found.push(Buffer.from(bytes));
  }
  return found;
}

const VERSIONS = 10_000;
const SINCE_CHECKPOINT = 999; // one more, and there would be another checkpoint

/** What a start reads of a registry of 10 000 versions. */
async function fold(folder, rounds) {
  mkdirSync(join(folder, 'log'), { recursive: true });
  writeLog(folder, VERSIONS + 1 - SINCE_CHECKPOINT);
  const whole = foldsOf(folder, rounds, () => rmSync(join(folder, 'checkpoints'), { recursive: true, force: true }));
  const journal = await foldedJournal(folder);
  await journal.saveCheckpoint();
  writeLog(folder, VERSIONS + 1);
  const fromCheckpoint = foldsOf(folder, rounds);
  console.log(
    `fold of ${VERSIONS} versions from a checkpoint and ${SINCE_CHECKPOINT} events: ${ms(fromCheckpoint)} (bar 2000: ${verdict(fromCheckpoint <= 2000)}); of ${VERSIONS - SINCE_CHECKPOINT} without one: ${ms(whole)}`,
  );
  rmSync(folder, { recursive: true });
}

/** The same events each time, as a registry writes them, but not flushed. */
function writeLog(root, events) {
  let at = LOG_START;
  const spec = (name, size) => ({ name, datatype: 'FP32', shape: [-1, size] });
  const signature = { inputs: [spec('input', 30)], outputs: [spec('label', 1), spec('probabilities', 2)] };
  const metadata = { featureNames: Array.from({ length: 30 }, (_, n) => `feature ${n}`), labels: ['no', 'yes'] };
  for (let seq = 1; seq <= events; seq++) {
    const sha256 = createHash('sha256').update(`${seq}`).digest('hex');
    const manifest = { files: [{ path: 'model.onnx', size: 1000, sha256 }], metadata };
    const published = { kind: 'version.published', model: `model-${seq % 100}`, version: Math.ceil(seq / 100), digest: sha256, manifest };
    const event =
      seq === 1 ? { kind: 'registry.created', lineage: 'bench' } : { ...published, engine: 'onnx', executable: sha256, signature };
    const { bytes, entry } = sealEvent(at, { ...event, actor: 'bench', correlationId: 'bench' }, new Date(0));
    writeFileSync(join(root, 'log', `${String(seq).padStart(20, '0')}.json`), bytes);
    at = entry.position;
  }
}

async function foldedJournal(root) {
  const journal = new RegistryJournal(new FileEventLog(root), new RegistryState(), new FileBlobStore(root));
  await journal.onModuleInit();
  return journal;
}

/** In a process of its own each time, as a start does it. */
function foldsOf(root, rounds, before = () => {}) {
  const foldOnce = () => {
    before();
    return Number(execFileSync(process.execPath, [SELF, '--fold', root], { encoding: 'utf8' }));
  };
  return median(Array.from({ length: rounds }, foldOnce));
}

/** How much more memory a server has at most while it takes in 1 GiB that is no model. */
async function upload(folder) {
  const env = { ...process.env, PORT: '0', MODELS_DIR: join(folder, 'registry'), EXAMPLES: 'off', CACHE_TTL_SECONDS: '0' };
  const server = spawn(process.execPath, [join(ROOT, 'dist/main.js')], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    const origin = await originOf(server);
    await send(origin, MIB); // what every first upload needs
    await sleep(500);
    writeFileSync(`/proc/${server.pid}/clear_refs`, '5'); // proc(5): the peak becomes what there is now
    const before = memoryOf(server.pid, 'VmRSS');
    const took = await timed(() => send(origin, GIB));
    const growth = (memoryOf(server.pid, 'VmHWM') - before) / KIB;
    console.log(
      `memory of a server during an upload of 1 GiB that is refused after ${ms(took)}: ${growth.toFixed(0)} MiB more than ${(before / KIB).toFixed(0)} (bar 32: ${verdict(growth <= 32)})`,
    );
  } finally {
    server.kill('SIGINT');
    await once(server, 'close');
    rmSync(folder, { recursive: true });
  }
}

async function originOf(server) {
  let said = '';
  server.stderr.on('data', (chunk) => (said += chunk));
  for (const deadline = performance.now() + 30_000; performance.now() < deadline; await sleep(5)) {
    const origin = /listens on (\S+),/.exec(said)?.[1];
    if (origin !== undefined) return origin;
    if (server.exitCode !== null) break;
  }
  throw new Error(`the server does not listen: ${said}`);
}

/** Uploads that many bytes that are no model, as fast as they are taken. @throws where they are not refused for that */
async function send(origin, bytes) {
  const part = '--b\r\nContent-Disposition: form-data; name=';
  const head = `${part}"name"\r\n\r\nbench\r\n${part}"file"; filename="model.onnx"\r\n\r\n`;
  const tail = '\r\n--b--\r\n';
  const headers = { 'Content-Type': 'multipart/form-data; boundary=b', 'Content-Length': head.length + bytes + tail.length };
  const call = request(`${origin}/api/v1/models`, { method: 'POST', headers });
  const answered = once(call, 'response', { signal: AbortSignal.timeout(300_000) });
  const piece = Buffer.alloc(64 * KIB, 'no model');
  call.write(head);
  for (let left = bytes; left > 0; left -= piece.length) {
    if (!call.write(piece.subarray(0, left))) await Promise.race([once(call, 'drain'), answered]);
  }
  call.end(tail);
  const [response] = await answered;
  const body = await text(response);
  if (response.statusCode !== 422) throw new Error(`${response.statusCode}: ${body}`);
}

/** In KiB. */
function memoryOf(pid, name) {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

if (process.argv[2] === '--fold') {
  console.log(await timed(() => foldedJournal(process.argv[3])));
} else {
  const folder = mkdtempSync(join(tmpdir(), 'analytics-api-bench-'));
  const wanted = process.argv.slice(2);
  const wants = (name) => wanted.length === 0 || wanted.includes(name);
  const fresh = () => mkdtempSync(join(folder, 'run-'));
  try {
    if (statfsSync(folder).type === TMPFS) console.log(`${folder} is in memory, not on a disk: set TMPDIR`);
    console.log(`${cpus().length} x ${cpus()[0].model}, Node ${process.version}; medians, by turns`);
    if (wants('copy')) await copy(fresh(), MIB, 15);
    if (wants('copy')) await copy(fresh(), GIB, 3);
    if (wants('small')) await small(fresh(), 5, 200);
    if (wants('fold')) await fold(fresh(), 5);
    if (wants('upload')) await upload(fresh());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
