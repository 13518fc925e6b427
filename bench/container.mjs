// Figures of the box: what the image adds to its base, start to ready under the compose file's limits, one prediction.
// usage: npm run test:container, which prints them, too; or, with the image built: node bench/container.mjs
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findEngine } from '../test/container/find-engine.mjs';

const ROUNDS = 3;
const CALLS = 500;
const IMAGE = process.env.E2E_IMAGE ?? 'analytics-api';
const BASE = 'node:24-bookworm-slim';
const NAME = `analytics-api-bench-${process.pid}`;
const LIMITS = ['--cpus=2', '--memory=4g', '--pids-limit=512', '--read-only', '--tmpfs=/tmp:size=64m', '--cap-drop=ALL'];
const SETTINGS = ['--env=AUTH_MODE=none', '--env=DRAIN_SECONDS=0', '--env=CACHE_TTL_SECONDS=0'];
const row = readFileSync(join(import.meta.dirname, '../examples/iris/request.json'));
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

const engine = process.env.CONTAINER_ENGINE ?? findEngine().name;
if (engine === undefined) {
  console.log('no container engine here');
  process.exit();
}

function ask(...args) {
  const { status, stdout, stderr } = spawnSync(engine, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${engine} ${args.join(' ')}: ${stderr}`);
  return stdout.trim();
}

const sizeOf = (image) => Number(ask('image', 'inspect', '--format={{.Size}}', image));

async function predict(origin) {
  const headers = { 'Content-Type': 'application/json' };
  const startedAt = performance.now();
  const answer = await fetch(`${origin}/api/v1/predict/iris`, { method: 'POST', headers, body: row });
  await answer.arrayBuffer();
  if (answer.status !== 200) throw new Error(`a prediction was answered with ${answer.status}`);
  return performance.now() - startedAt;
}

/** One container from the engine's command on: an empty registry, so that the example is published as well. */
async function round() {
  const startedAt = performance.now();
  const args = ['run', '--rm', `--name=${NAME}`, '--publish=127.0.0.1::4100', ...LIMITS, ...SETTINGS, IMAGE];
  const child = spawn(engine, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    let said = '';
    child.stderr.on('data', (text) => (said += text));
    while (!said.includes('listens on')) {
      if (child.exitCode !== null) throw new Error(said);
      await sleep(2);
    }
    const origin = `http://${ask('port', NAME, '4100').split('\n')[0]}`;
    const isReady = () =>
      fetch(`${origin}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    while (!(await isReady())) await sleep(2);
    const readyMs = performance.now() - startedAt;
    const firstMs = await predict(origin);
    const later = [];
    for (let call = 0; call < CALLS; call++) later.push(await predict(origin));
    return { readyMs, firstMs, laterMs: median(later) };
  } finally {
    const ended = once(child, 'exit');
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      await ended;
    }
  }
}

const rounds = [];
for (let at = 0; at < ROUNDS; at++) rounds.push(await round());
const of = (figure) => median(rounds.map((one) => one[figure]));
console.log(`the image above its base: ${((sizeOf(IMAGE) - sizeOf(BASE)) / 1e6).toFixed(0)} MB (bar 160)`);
console.log(`start to ready with 2 CPUs and 4g, the example published: ${(of('readyMs') / 1000).toFixed(2)} s (median of ${ROUNDS})`);
console.log(`a prediction through the published port: the first ${of('firstMs').toFixed(1)} ms, then ${of('laterMs').toFixed(2)} ms`);
