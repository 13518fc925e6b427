// Figures of the door: what a request with a key costs more than one where no keys are asked for, beside a bare handler of node:http.
// usage: npm run --silent build && node bench/auth.mjs
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const ROUNDS = 7;
const CALLS = 6000;
const AT_ONCE = 8;
const BAR_US = 10;
const ROOT = join(import.meta.dirname, '..');
const MAIN = join(ROOT, 'dist/main.js');
const folder = mkdtempSync(join(tmpdir(), 'analytics-api-bench-'));
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
const BARE = `require('node:http').createServer((_, answer) => {
  answer.setHeader('Content-Type', 'application/json');
  answer.end('{"status":"ok","degraded":[]}');
}).listen(0, '127.0.0.1', function () { process.stderr.write('listens on http://127.0.0.1:' + this.address().port + ',\\n'); });`;

async function start(args, settings) {
  const env = { PATH: process.env.PATH, PORT: '0', EXAMPLES: 'off', LOG_LEVEL: 'warn', CACHE_TTL_SECONDS: '0', ...settings };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text) => (said += text));
  let origin;
  while ((origin = /listens on (\S+),/.exec(said)?.[1]) === undefined) {
    if (child.exitCode !== null) throw new Error(said);
    await sleep(5);
  }
  return { child, origin };
}

/** Microseconds of CPU that the threads of a process have used, from the scheduler's own count in nanoseconds. */
function cpuOf({ child }) {
  const tasks = `/proc/${child.pid}/task`;
  const used = readdirSync(tasks).map((task) => Number(readFileSync(join(tasks, task, 'schedstat'), 'utf8').split(' ')[0]));
  return used.reduce((sum, each) => sum + each, 0) / 1000;
}

function call(origin, path, headers, expected) {
  return new Promise((resolve, reject) => {
    const outgoing = request(origin + path, { headers, agent }, (incoming) => {
      if (incoming.statusCode !== expected) return reject(new Error(`${path}: ${incoming.statusCode}`));
      incoming.resume().once('end', resolve);
    });
    outgoing.on('error', reject).end();
  });
}

/** @returns microseconds of the server's CPU for one call */
async function costOf({ server, path, headers = {}, expected = 200 }) {
  const before = cpuOf(server);
  const worker = async () => {
    for (let at = 0; at < CALLS / AT_ONCE; at++) await call(server.origin, path, headers, expected);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return (cpuOf(server) - before) / CALLS;
}

/** The door alone, in this process: nanoseconds of one look at a key. */
function alone(key) {
  const dist = (path) => createRequire(import.meta.url)(join(ROOT, 'dist', path));
  const { readKey, sha256 } = dist('auth/api-key');
  const { credentialOf } = dist('auth/credentials');
  const message = {
    url: '/api/v1/models',
    headers: { 'x-api-key': key },
    rawHeaders: ['Host', 'localhost', 'X-API-Key', key, 'Accept', '*/*'],
  };
  const work = () => sha256(readKey(credentialOf(message)).secret);
  for (let at = 0; at < 100_000; at++) work();
  const startedAt = performance.now();
  for (let at = 0; at < 300_000; at++) work();
  return ((performance.now() - startedAt) / 300_000) * 1e6;
}

const servers = [];
try {
  const [open, closed] = [join(folder, 'open'), join(folder, 'closed')];
  const made = (args) =>
    execFileSync(process.execPath, [MAIN, 'keys', 'create', '--models-dir', closed, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  const key = made(['--name', 'bench']).toString().trim();
  for (let at = 0; at < 50; at++) made(['--name', `other-${at}`]);
  const bare = await start(['-e', BARE], {});
  const off = await start([MAIN], { MODELS_DIR: open });
  const on = await start([MAIN], { MODELS_DIR: closed });
  servers.push(bare, off, on);
  const ways = {
    'bare handler': { server: bare, path: '/' },
    'keys not asked for': { server: off, path: '/api/v1/models' },
    'the header for nothing': { server: off, path: '/api/v1/models', headers: { 'X-API-Key': key } },
    'Authorization: Bearer': { server: on, path: '/api/v1/models', headers: { Authorization: `Bearer ${key}` } },
    'X-API-Key': { server: on, path: '/api/v1/models', headers: { 'X-API-Key': key } },
    'refused (401, 429)': { server: on, path: '/api/v1/models', headers: { 'X-API-Key': `${key.slice(0, -1)}~` }, expected: 429 },
  };
  for (let at = 0; at < 20; at++) await call(on.origin, '/api/v1/models', { 'X-API-Key': 'wrong' }, 401); // from here on 429
  for (const way of Object.values(ways)) await costOf(way); // warm
  const costs = new Map(Object.keys(ways).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, way] of Object.entries(ways)) costs.get(name).push(await costOf(way));
  }
  console.log(
    `${cpus().length} x ${cpus()[0].model}, Node ${process.version}; ${ROUNDS} rounds of ${CALLS} calls by turns, medians of the server's CPU`,
  );
  const floor = median(costs.get('bare handler'));
  for (const [name, values] of costs) {
    console.log(
      `${name.padEnd(22)} ${median(values).toFixed(1).padStart(6)} us a call, ${(median(values) / floor).toFixed(2)} of the bare handler`,
    );
  }
  for (const name of ['Authorization: Bearer', 'X-API-Key']) {
    const more = median(costs.get(name).map((cost, round) => cost - costs.get('keys not asked for')[round]));
    console.log(
      `${name}: ${more.toFixed(1)} us more than where no keys are asked for (bar ${BAR_US}): ${more <= BAR_US ? 'met' : 'MISSED'}`,
    );
  }
  console.log(`reading and hashing a key alone: ${(alone(key) / 1000).toFixed(2)} us`);
} finally {
  agent.destroy();
  for (const { child } of servers) {
    child.kill('SIGINT');
    await once(child, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
}
