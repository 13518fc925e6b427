// Figures of a registry of 1 000 models of 10 versions, each with one in production, against one of a single model, by turns.
// usage: npm run --silent build && node bench/registry.mjs
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import swc from '@swc/core';

const [MODELS, VERSIONS, ROUNDS, CALLS] = [1000, 10, 5, 1000];
const [SCRAPES, QUIET_MS] = [20, 200];
const ROOT = join(import.meta.dirname, '..');
const require = createRequire(import.meta.url);
const dist = (path) => require(join(ROOT, 'dist', path));
const { Logger } = require('@nestjs/common');
const { RuntimeConfig } = dist('config/app-config');
const { digestOf } = dist('models/upload/manifest');
const { Measurements } = dist('models/serving/measurements');
const { HostLauncher } = dist('runtime/hosts/host-launcher');
const { HostRuntime } = dist('runtime/host.runtime');
const { MACHINE } = dist('runtime/machine');
const { DerivedFiles } = dist('storage/derived-files');
const { LOG_START } = dist('storage/event-log.port');
const { sealEvent } = dist('storage/stored-event');

Logger.overrideLogger(false);
const agent = new Agent({ keepAlive: true });
const sorted = (values) => values.toSorted((a, b) => a - b);
const share = (values, part) => sorted(values)[Math.min(values.length - 1, Math.floor(values.length * part))];
const median = (values) => share(values, 0.5);
const ms = (value) => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
const verdict = (good) => (good ? 'met' : 'MISSED');
const nameOf = (n) => `model-${String(n).padStart(4, '0')}`;

/** The tests' own writer of models. */
function onnxWriter(folder) {
  for (const name of ['onnx-writer', 'models']) {
    const options = { module: { type: 'commonjs' }, jsc: { parser: { syntax: 'typescript' }, target: 'es2023' } };
    writeFileSync(join(folder, `${name}.js`), swc.transformFileSync(join(ROOT, `test/onnx/${name}.ts`), options).code);
  }
  return require(join(folder, 'models.js'));
}

/** A registry as uploads and promotions would leave it, but not flushed: a file a model, versions that differ in their metadata. */
async function registryOf(root, models, linear) {
  const config = new RuntimeConfig();
  const runtime = new HostRuntime(undefined, new HostLauncher(config), config);
  const measurements = new Measurements(new DerivedFiles(root), { machine: MACHINE });
  mkdirSync(join(root, 'log'), { recursive: true });
  let at = LOG_START;
  let seen;
  const append = (event) => {
    const { bytes, entry } = sealEvent(at, { ...event, actor: 'bench', correlationId: 'bench' }, new Date());
    writeFileSync(join(root, 'log', `${String(entry.position.seq).padStart(20, '0')}.json`), bytes);
    at = entry.position;
  };
  append({ kind: 'registry.created', lineage: 'bench' });
  for (let n = 0; n < models; n++) {
    const file = linear([[n + 1]]);
    const sha256 = createHash('sha256').update(file).digest('hex');
    const folder = join(root, 'blobs', 'sha256', sha256.slice(0, 2));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, sha256), file, { mode: 0o444 });
    seen ??= await runtime.import({ path: join(folder, sha256), sha256 });
    const { engine, signature, unbounded, initializerBytes, options, measured } = seen;
    const executable = digestOf({ engine, file: sha256, options });
    await measurements.keep(executable, measured);
    for (let version = 1; version <= VERSIONS; version++) {
      const manifest = { files: [{ path: 'model.onnx', size: file.length, sha256 }], metadata: { deadlineMs: 1000 + version } };
      const found = { engine, options, executable, signature, unbounded, initializerBytes };
      append({ kind: 'version.published', model: nameOf(n), version, digest: digestOf(manifest), manifest, ...found });
    }
    append({ kind: 'stage.changed', model: nameOf(n), version: VERSIONS, stage: 'production' });
  }
}

async function call(origin, method, path, body) {
  const outgoing = request(origin + path, { method, agent, headers: { 'Content-Type': 'application/json' } });
  outgoing.end(body);
  const [incoming] = await once(outgoing, 'response');
  return { status: incoming.statusCode, text: await text(incoming) };
}

/** @returns with the milliseconds until `/health/startup` said yes, and until the last model was in service */
async function startOn(root) {
  const startedAt = performance.now();
  const env = {
    ...process.env,
    PORT: '0',
    MODELS_DIR: root,
    EXAMPLES: 'off',
    MODEL_MEMORY_MB: '4096',
    LOG_LEVEL: 'warn',
    CACHE_TTL_SECONDS: '0',
  };
  const child = spawn(process.execPath, [join(ROOT, 'dist/main.js')], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => (said += chunk));
  let origin;
  while ((origin = /listens on (\S+),/.exec(said)?.[1]) === undefined) {
    if (child.exitCode !== null) throw new Error(said);
    await sleep(2);
  }
  const listensMs = performance.now() - startedAt;
  while ((await call(origin, 'GET', '/health/startup')).status !== 200) await sleep(5);
  return { child, origin, listensMs, readyMs: performance.now() - startedAt };
}

async function stop({ child }) {
  child.kill('SIGINT');
  await once(child, 'exit');
}

/** Milliseconds of each of many calls, one after another. @throws where one is not answered */
async function times(calls, origin, method, path, body) {
  const took = [];
  for (let at = 0; at < calls; at++) {
    const startedAt = performance.now();
    const { status, text: said } = await call(origin, method, path, body);
    if (status !== 200) throw new Error(said);
    took.push(performance.now() - startedAt);
  }
  return took;
}

const lagOf = (figures, what) => 1000 * Number(new RegExp(`^nodejs_eventloop_lag_${what}_seconds (\\S+)$`, 'm').exec(figures)[1]);

/** A scrape of each server by turns, after a call of every model: size, milliseconds, and for how long the event loop stood still at most. */
async function scrapes(servers) {
  const seen = Object.fromEntries(Object.keys(servers).map((name) => [name, { took: [], blocked: [], bytes: 0 }]));
  for (let round = 0; round < SCRAPES; round++) {
    for (const [name, { origin }] of Object.entries(servers)) {
      const startedAt = performance.now();
      const { text: figures } = await call(origin, 'GET', '/metrics');
      seen[name].took.push(performance.now() - startedAt);
      seen[name].bytes = figures.length;
      await sleep(QUIET_MS);
      // what the clock of the loop saw since that scrape began to be written; between two looks there is always its own period
      const { text: after } = await call(origin, 'GET', '/metrics');
      seen[name].blocked.push(lagOf(after, 'max') - lagOf(after, 'min'));
      await sleep(QUIET_MS);
    }
  }
  return seen;
}

const folder = mkdtempSync(join(tmpdir(), 'analytics-api-bench-'));
try {
  const { linear } = onnxWriter(folder);
  const [many, one] = [join(folder, 'many'), join(folder, 'one')];
  await registryOf(many, MODELS, linear);
  await registryOf(one, 1, linear);
  console.log(`${cpus().length} x ${cpus()[0].model}, Node ${process.version}; medians of ${ROUNDS}, by turns`);
  const starts = { listens: [], many: [], one: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, root] of Object.entries({ many, one })) {
      const server = await startOn(root);
      starts[name].push(server.readyMs);
      if (name === 'many') starts.listens.push(server.listensMs);
      await stop(server);
    }
  }
  const ready = median(starts.many);
  console.log(
    `start to ready with ${MODELS} models of ${VERSIONS} versions: ${ms(ready)} (bar 5000: ${verdict(ready <= 5000)}), the port is open after ${ms(median(starts.listens))}; with one model ${ms(median(starts.one))}`,
  );
  const [large, small] = [await startOn(many), await startOn(one)];
  for (const limit of [100, 1000]) {
    const took = await times(300, large.origin, 'GET', `/api/v1/models?limit=${limit}`);
    const p99 = share(took, 0.99);
    console.log(`a list of ${limit} of ${MODELS}: p50 ${ms(median(took))}, p99 ${ms(p99)} (bar 20: ${verdict(p99 <= 20)})`);
  }
  const predictions = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [at, { origin }] of [large, small].entries()) {
      predictions[at].push(...(await times(CALLS, origin, 'POST', `/api/v1/predict/${nameOf(0)}`, '{"instances":[[1]]}')));
    }
  }
  const [[p50, p99], [its50, its99]] = predictions.map((took) => [median(took), share(took, 0.99)]);
  console.log(
    `a prediction beside ${MODELS - 1} other models: p50 ${ms(p50)}, p99 ${ms(p99)}; alone: ${ms(its50)}, ${ms(its99)}; ${(p50 / its50).toFixed(2)} and ${(p99 / its99).toFixed(2)} of it`,
  );
  for (let n = 0; n < MODELS; n++) await times(1, large.origin, 'POST', `/api/v1/predict/${nameOf(n)}`, '{"instances":[[1]]}');
  const { large: scraped, small: its } = await scrapes({ large, small });
  const blocked = median(scraped.blocked);
  console.log(
    `a scrape after calls of ${MODELS} models: ${(scraped.bytes / 1e6).toFixed(2)} MB in ${ms(median(scraped.took))}; the event loop stands still for at most ${ms(blocked)} (bar 20: ${verdict(blocked <= 20)}), with one model for ${ms(median(its.blocked))}`,
  );
  await Promise.all([stop(large), stop(small)]);
} finally {
  agent.destroy();
  rmSync(folder, { recursive: true, force: true });
}
