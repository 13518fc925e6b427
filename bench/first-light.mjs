// Figures of the way through: start to ready, upload to served, and a prediction against a bare route of the same server.
// usage: npm run bench
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import swc from '@swc/core';

const ROUNDS = 5;
const CALLS = 2000;
const ROOT = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'analytics-api-bench-'));
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const agent = new Agent({ keepAlive: true });

function call(origin, method, path, { headers = {}, chunks = [] } = {}) {
  return new Promise((resolve, reject) => {
    const outgoing = request(origin + path, { method, headers, agent }, (incoming) => {
      textOf(incoming).then((text) => resolve({ status: incoming.statusCode, text }), reject);
    });
    outgoing.on('error', reject);
    for (const chunk of chunks) outgoing.write(chunk);
    outgoing.end();
  });
}

async function startServer() {
  const startedAt = performance.now();
  const env = { ...process.env, PORT: '0', MODELS_DIR: join(folder, 'registry'), LOG_LEVEL: 'info', CACHE_TTL_SECONDS: '0' };
  const child = spawn(process.execPath, [join(ROOT, 'dist/main.js')], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text) => (said += text));
  let origin;
  while ((origin = /listens on (\S+),/.exec(said)?.[1]) === undefined) {
    if (child.exitCode !== null) throw new Error(said);
    await sleep(2);
  }
  while ((await call(origin, 'GET', '/health/startup')).status !== 200) await sleep(2);
  return { child, origin, readyMs: performance.now() - startedAt };
}

async function stop({ child }) {
  child.kill('SIGINT');
  await once(child, 'exit');
}

/** An ONNX model of about 10 MB, made by the tests' own writer. */
function bigModel() {
  for (const name of ['onnx-writer', 'models']) {
    const options = { module: { type: 'commonjs' }, jsc: { parser: { syntax: 'typescript' }, target: 'es2023' } };
    writeFileSync(join(folder, `${name}.js`), swc.transformFileSync(join(ROOT, `test/onnx/${name}.ts`), options).code);
  }
  return createRequire(import.meta.url)(join(folder, 'models.js')).padded(10 * 2 ** 20);
}

async function uploadToServed(origin, model, round) {
  const part = (name, value) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const head = part('name', `big-${round}`) + part('stage', 'production');
  const file = '--b\r\nContent-Disposition: form-data; name="file"; filename="model.onnx"\r\n\r\n';
  // a model of its own each round: an equal one would be there already
  const chunks = [head + file, model, '\r\n--b--\r\n'];
  const uploading = call(origin, 'POST', '/api/v1/models', { headers: { 'Content-Type': 'multipart/form-data; boundary=b' }, chunks });
  const lastByteAt = performance.now();
  const { status, text } = await uploading;
  if (status !== 201) throw new Error(text);
  const headers = { 'Content-Type': 'application/json' };
  const answer = await call(origin, 'POST', `/api/v1/predict/big-${round}`, { headers, chunks: ['{"instances":[[1,2,3,4]]}'] });
  if (answer.status !== 200) throw new Error(answer.text);
  return performance.now() - lastByteAt;
}

async function perCall(origin, method, path, chunks) {
  const headers = { 'Content-Type': 'application/json' };
  const startedAt = performance.now();
  for (let at = 0; at < CALLS; at++) await call(origin, method, path, { headers, chunks });
  return ((performance.now() - startedAt) / CALLS) * 1000;
}

try {
  const starts = [];
  for (let round = 0; round < ROUNDS; round++) {
    const server = await startServer();
    starts.push(server.readyMs);
    await stop(server);
  }
  const server = await startServer();
  const model = bigModel();
  const served = [];
  for (let round = 0; round < ROUNDS; round++) served.push(await uploadToServed(server.origin, model, round));
  const row = readFileSync(join(ROOT, 'examples/iris/request.json'));
  const predict = [];
  const live = [];
  for (let round = 0; round < ROUNDS; round++) {
    live.push(await perCall(server.origin, 'GET', '/health/live', []));
    predict.push(await perCall(server.origin, 'POST', '/api/v1/predict/iris', [row]));
  }
  await stop(server);
  console.log(`${cpus().length} x ${cpus()[0].model}, Node ${process.version}; medians of ${ROUNDS}`);
  console.log(`start to ready: ${median(starts).toFixed(0)} ms (bar 2000)`);
  console.log(`last byte of a 10 MB model to its first prediction: ${median(served).toFixed(0)} ms (bar 1000)`);
  console.log(
    `a prediction at one connection: ${median(predict).toFixed(0)} us, ${(median(predict) / median(live)).toFixed(2)} of a /health/live`,
  );
} finally {
  agent.destroy();
  rmSync(folder, { recursive: true, force: true });
}
