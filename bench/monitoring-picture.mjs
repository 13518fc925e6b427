// Draws docs/monitoring-latency.svg: what a real Prometheus with our rules, all times a sixtieth, says of how long predictions take, while a server has a quiet,
// a busy, and a slow part. Wants `prometheus` and a built dist/. usage: node bench/monitoring-picture.mjs [SECONDS of each part]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '..');
const PART_SECONDS = Number(process.argv[2] ?? 60);
const LINES = { p50_5m: ['50 %', '#4a78a8'], p95_5m: ['95 %', '#b98a3c'], p99_5m: ['99 %', '#a33'] };
const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [860, 320, 70, 30, 40];
const FLOOR_SECONDS = 0.0002;
const CEILING_SECONDS = 2;

const folder = mkdtempSync(join(tmpdir(), 'monitoring-picture-'));
const [ours, theirs] = [await freePort(), await freePort()];
const origin = `http://127.0.0.1:${ours}`;
const children = [];
try {
  const settings = { PORT: String(ours), MODELS_DIR: join(folder, 'models'), BACKUPS_DIR: join(folder, 'backups'), CACHE_TTL_SECONDS: '0' };
  start(process.execPath, [join(ROOT, 'dist', 'main.js')], settings);
  await answers(`${origin}/health/startup`);
  const rules = readFileSync(join(ROOT, 'ops', 'prometheus', 'recording.rules.yml'), 'utf8').replaceAll('[5m]', '[5s]');
  writeFileSync(join(folder, 'rules.yml'), rules);
  const job = `{ job_name: analytics-api, static_configs: [{ targets: ['127.0.0.1:${ours}'] }] }`;
  const times = 'global: { scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms }';
  writeFileSync(join(folder, 'prometheus.yml'), `${times}\nrule_files: [rules.yml]\nscrape_configs: [${job}]\n`);
  const given = [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`];
  start('prometheus', [...given, `--web.listen-address=127.0.0.1:${theirs}`, '--log.level=error'], {});
  await answers(`http://127.0.0.1:${theirs}/-/ready`);

  const began = Date.now() / 1000;
  await ask(1, 50, 1);
  await ask(16, 0, 1);
  await ask(8, 0, 128);
  const ended = Date.now() / 1000;
  const lines = {};
  for (const name of Object.keys(LINES)) lines[name] = await range(`job:prediction_duration_seconds:${name}`, began, ended);
  writeFileSync(join(ROOT, 'docs', 'monitoring-latency.svg'), draw(lines, began, ended));
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}

function start(program, args, env) {
  children.push(spawn(program, args, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'ignore', 'inherit'] }));
}

async function answers(url) {
  while (
    !(await fetch(url).then(
      (answer) => answer.ok,
      () => false,
    ))
  )
    await sleep(100);
}

/** A part of the run: so many callers, each with a pause between two calls of so many rows. */
async function ask(callers, pauseMs, rows) {
  const until = Date.now() + PART_SECONDS * 1000;
  const body = JSON.stringify({ instances: Array.from({ length: rows }, () => [5.1, 3.5, 1.4, 0.2]) });
  const one = async () => {
    while (Date.now() < until) {
      const answer = await fetch(`${origin}/api/v1/predict/iris`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body,
      });
      await answer.arrayBuffer();
      await sleep(pauseMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, one));
}

async function range(query, from, to) {
  const asked = new URLSearchParams({ query, start: String(from), end: String(to), step: '1' });
  const { data } = await (await fetch(`http://127.0.0.1:${theirs}/api/v1/query_range?${asked}`)).json();
  return data.result[0].values.map(([at, value]) => [at, Number(value)]).filter(([, value]) => Number.isFinite(value) && value > 0);
}

function draw(lines, from, to) {
  const x = (at) => (LEFT + ((at - from) / (to - from)) * (WIDTH - LEFT - 20)).toFixed(1);
  const share = (seconds) => Math.log(seconds / FLOOR_SECONDS) / Math.log(CEILING_SECONDS / FLOOR_SECONDS);
  const y = (seconds) => (HEIGHT - BOTTOM - Math.min(1, Math.max(0, share(seconds))) * (HEIGHT - BOTTOM - TOP)).toFixed(1);
  const grid = [0.001, 0.01, 0.1, 1].map(
    (seconds) => `<path d="M${LEFT} ${y(seconds)}H${WIDTH - 20}" stroke="${seconds === 0.1 ? '#a33" stroke-dasharray="4 3' : '#ddd'}"/>
<text x="${LEFT - 8}" y="${Number(y(seconds)) + 4}" text-anchor="end">${seconds * 1000} ms</text>`,
  );
  const parts = ['1 caller, 20 a second', '16 callers, as fast as it goes', '8 callers, 128 rows each'].map(
    (text, at) => `<text x="${x(from + (at + 0.5) * PART_SECONDS)}" y="${HEIGHT - 14}" text-anchor="middle">${text}</text>`,
  );
  const drawn = Object.entries(lines).map(([name, values], at) => {
    const [label, colour] = LINES[name];
    const path = values.map(([when, seconds]) => `${x(when)},${y(seconds)}`).join(' ');
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/><text x="${LEFT + 10 + at * 60}" y="20" fill="${colour}">${label}</text>`;
  });
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`;
  return `${head}\n<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>\n${[...grid, ...drawn, ...parts].join('\n')}\n</svg>\n`;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
