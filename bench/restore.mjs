// How long after a disk was lost everything is served again: a snapshot restored into an empty place by a process of its own, every byte
// hashed, and a server on it that answers; beside it the floor, the same bytes copied by `cp`, flushed and hashed by `sha256sum`.
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import swc from '@swc/core';

const HELP = `usage: npm run --silent build && node bench/restore.mjs [options]
  --versions N  how many, in ten models (default 1000)
  --mib N       how many mebibytes they have together (default 1024)
  --rounds N    each is measured so often, by turns; medians (default 3)
  --json FILE   writes everything that was measured
  --help`;
const MODELS = 10;
/** BK-27: 1 000 versions of 1 GiB, on two cores. */
const BAR_SECONDS = 60;
const SELF = import.meta.filename;
const ROOT = join(import.meta.dirname, '..');
const load = createRequire(import.meta.url);
const dist = (path) => load(join(ROOT, 'dist', path));
const { Logger } = load('@nestjs/common');
Logger.overrideLogger(false);

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const nameOf = (n) => `model-${n}`;

/** The tests' own writer of models. */
function onnxWriter(folder) {
  for (const name of ['onnx-writer', 'models']) {
    const options = { module: { type: 'commonjs' }, jsc: { parser: { syntax: 'typescript' }, target: 'es2023' } };
    writeFileSync(join(folder, `${name}.js`), swc.transformFileSync(join(ROOT, `test/onnx/${name}.ts`), options).code);
  }
  return load(join(folder, 'models.js'));
}

/** A registry as uploads and promotions would leave it, but not flushed; no two files are the same. */
async function fill(root, { padded }, versions, bytes) {
  const { digestOf } = dist('models/upload/manifest');
  const { LOG_START } = dist('storage/event-log.port');
  const { sealEvent } = dist('storage/stored-event');
  const { RuntimeConfig } = dist('config/app-config');
  const { HostLauncher } = dist('runtime/hosts/host-launcher');
  const { HostRuntime } = dist('runtime/host.runtime');
  const config = new RuntimeConfig();
  const runtime = new HostRuntime(undefined, new HostLauncher(config), config);
  mkdirSync(join(root, 'log'), { recursive: true });
  let at = LOG_START;
  let seen;
  const append = (event) => {
    const { bytes: stored, entry } = sealEvent(at, { ...event, actor: 'bench', correlationId: 'bench' }, new Date());
    writeFileSync(join(root, 'log', `${String(entry.position.seq).padStart(20, '0')}.json`), stored);
    at = entry.position;
  };
  append({ kind: 'registry.created', lineage: '00000000-0000-4000-8000-000000000000' });
  const file = padded(bytes / versions);
  for (let n = 0; n < versions; n++) {
    file.writeFloatLE(n, file.length >> 1); // amid the noise
    const sha256 = createHash('sha256').update(file).digest('hex');
    const folder = join(root, 'blobs', 'sha256', sha256.slice(0, 2));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, sha256), file, { mode: 0o444 });
    seen ??= await runtime.import({ path: join(folder, sha256), sha256 });
    const { engine, signature, unbounded, initializerBytes, options } = seen;
    const manifest = { files: [{ path: 'model.onnx', size: file.length, sha256 }], metadata: {} };
    const found = { engine, options, executable: digestOf({ engine, file: sha256, options }), signature, unbounded, initializerBytes };
    const [model, version] = [nameOf(n % MODELS), Math.floor(n / MODELS) + 1];
    append({ kind: 'version.published', model, version, digest: digestOf(manifest), manifest, ...found });
    if (n >= versions - MODELS) append({ kind: 'stage.changed', model, version, stage: 'production' });
  }
}

function backupsOf(backupsDir, models) {
  const { BackupConfig } = dist('config/app-config');
  const { openBackups } = dist('backup/open-backups');
  return openBackups(Object.assign(new BackupConfig(), { backupsDir }), models);
}

/** Runs in a child, as the command does. */
async function restore(backups, id, place) {
  const { sources, emptyPlace } = backupsOf(backups, place);
  const source = await sources.open(id, 'bench');
  await emptyPlace.restore(source, 'bench');
  await source.close();
}

const secondsSince = (startedAt) => (performance.now() - startedAt) / 1000;

function floor(backups, copy) {
  const startedAt = performance.now();
  execFileSync('sh', ['-c', 'cp -r "$0/blobs" "$1" && sync -f "$1" && find "$1" -type f -print0 | xargs -0 sha256sum > /dev/null', backups, copy]); // prettier-ignore
  const seconds = secondsSince(startedAt);
  rmSync(copy, { recursive: true });
  return seconds;
}

/** @returns after how many seconds each model has answered as it must */
async function serve(root) {
  const startedAt = performance.now();
  const env = { ...process.env, PORT: '0', MODELS_DIR: root, BACKUPS_DIR: `${root}-backups`, BACKUP_SCHEDULE: 'off', EXAMPLES: 'off', LOG_LEVEL: 'warn' }; // prettier-ignore
  const child = spawn(process.execPath, [join(ROOT, 'dist/main.js')], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    let said = '';
    child.stderr.on('data', (chunk) => (said += chunk));
    let origin;
    while ((origin = /listens on (\S+),/.exec(said)?.[1]) === undefined) {
      if (child.exitCode !== null) throw new Error(said);
      await sleep(2);
    }
    while ((await fetch(`${origin}/health/startup`)).status !== 200) await sleep(5);
    for (let n = 0; n < MODELS; n++) {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${origin}/api/v1/predict/${nameOf(n)}`, { method: 'POST', headers, body: '{"instances":[[1,1,1,1]]}' });
      const told = await answer.text();
      if (answer.status !== 200 || !told.includes('10')) throw new Error(`${answer.status} ${told}`);
    }
    return secondsSince(startedAt);
  } finally {
    if (child.exitCode === null) {
      child.kill('SIGINT');
      await once(child, 'exit');
    }
  }
}

async function measure({ versions, mib, rounds, json }) {
  const folder = mkdtempSync(join(tmpdir(), 'analytics-api-bench-'));
  try {
    const [models, backups, place] = ['models', 'backups', 'restored'].map((name) => join(folder, name));
    await fill(models, onnxWriter(folder), versions, mib * 2 ** 20);
    const { taker } = backupsOf(backups, models);
    const { id, bytes } = await taker.take({ trigger: 'manual', actor: 'bench', correlationId: 'bench' });
    rmSync(models, { recursive: true });
    const seconds = { floor: [], restored: [], serving: [] };
    for (let round = 0; round < rounds; round++) {
      seconds.floor.push(floor(backups, join(folder, 'copy')));
      const startedAt = performance.now();
      execFileSync(process.execPath, [SELF, 'restore', backups, id, place], { stdio: 'inherit' });
      seconds.restored.push(secondsSince(startedAt));
      seconds.serving.push(await serve(place));
      rmSync(place, { recursive: true });
    }
    const { floor: least, restored, serving } = Object.fromEntries(Object.entries(seconds).map(([name, values]) => [name, median(values)]));
    const all = restored + serving;
    const met = all <= BAR_SECONDS ? 'met' : 'MISSED';
    console.log(
      `${cpus().length} x ${cpus()[0].model}, Node ${process.version}; medians of ${rounds}, by turns; what is read is in memory`,
    );
    console.log(`${versions} versions, ${mib} MiB: restored after ${restored.toFixed(1)} s, all ${MODELS} models answer ${serving.toFixed(1)} s later: ${all.toFixed(1)} s (bar ${BAR_SECONDS}: ${met})`); // prettier-ignore
    console.log(
      `floor, cp and sync and sha256sum of the same bytes: ${least.toFixed(1)} s; the restore takes ${(restored / least).toFixed(2)} times as long`,
    );
    if (json !== undefined) writeFileSync(json, `${JSON.stringify({ versions, mib, bytes, models: MODELS, seconds, barSeconds: BAR_SECONDS }, undefined, 2)}\n`); // prettier-ignore
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[2] === 'restore') await restore(...process.argv.slice(3));
else {
  const text = (value) => ({ type: 'string', ...(value && { default: value }) });
  const options = { versions: text('1000'), mib: text('1024'), rounds: text('3'), json: text(), help: { type: 'boolean', default: false } };
  const { values } = parseArgs({ options });
  if (values.help) console.log(HELP);
  else await measure({ versions: Number(values.versions), mib: Number(values.mib), rounds: Number(values.rounds), json: values.json });
}
