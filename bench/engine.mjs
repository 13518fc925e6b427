// Figures of the engine room, each against the plainest thing that does the same work in the same run, by turns.
// usage: npm run --silent build && node bench/engine.mjs [call] [import] [memory] [restart]
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import swc from '@swc/core';

const MIB = 2 ** 20;
const CALLS = 2000;
const ROOT = join(import.meta.dirname, '..');
const require = createRequire(import.meta.url);
const dist = (path) => require(join(ROOT, 'dist', path));
const { Logger } = require('@nestjs/common');
const ort = require('onnxruntime-node');
const { RuntimeConfig } = dist('config/app-config');
const { HostRuntime } = dist('runtime/host.runtime');
const { EngineSupervisor } = dist('runtime/hosts/engine-supervisor');
const { HostLauncher } = dist('runtime/hosts/host-launcher');

Logger.overrideLogger(false);
const OPTIONS = { intraOpNumThreads: 1, interOpNumThreads: 1 };
const ECHO = "process.on('message', (message) => process.send(message)); process.send('ready')";
const LOAD = `(async () => {
  const { InferenceSession, Tensor } = require('onnxruntime-node');
  const session = await InferenceSession.create(require('node:fs').readFileSync(process.argv[1]), ${JSON.stringify(OPTIONS)});
  await session.run({ x: new Tensor('float32', Float32Array.of(1, 2, 3, 4), [1, 4]) });
})()`;

/** A process that sends back what it is sent. */
const startEcho = () => spawn(process.execPath, ['-e', ECHO], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], serialization: 'advanced' });
/** A process that loads a model and runs it, and nothing else. */
const loadAlone = ({ path }) => once(spawn(process.execPath, ['-e', LOAD, path], { cwd: ROOT, stdio: 'inherit' }), 'exit');
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const mib = (bytes) => `${(bytes / MIB).toFixed(0)} MiB`;
const ms = (value) => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
const us = (value) => `${(value * 1000).toFixed(0)} us`;

async function timed(work) {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Lets several ways do the same by turns, so that what else the machine does hurts all of them. @returns the median of each, milliseconds */
async function byTurns(rounds, ways) {
  const times = ways.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [at, way] of ways.entries()) times[at].push(await way());
  }
  return times.map(median);
}

/** Milliseconds of one of many calls in a row. */
async function perCall(call) {
  const total = await timed(async () => {
    for (let at = 0; at < CALLS; at++) await call();
  });
  return total / CALLS;
}

/** An engine room as the server has one. */
class Room {
  config = new RuntimeConfig();
  launched = [];

  constructor() {
    const launcher = new HostLauncher(this.config);
    const launch = launcher.launch.bind(launcher);
    launcher.launch = () => {
      const host = launch();
      this.launched.push(host);
      return host;
    };
    this.supervisor = new EngineSupervisor(this.config, launcher);
    this.runtime = new HostRuntime(this.supervisor, launcher, this.config);
  }

  /** The process of the host that was started last; the launcher's child is replaced by it through exec. */
  get pid() {
    return this.launched.at(-1).child.pid;
  }

  close() {
    return this.supervisor.onApplicationShutdown();
  }
}

/** What the tests' own writer makes, as files. */
function modelsIn(folder) {
  for (const name of ['onnx-writer', 'models']) {
    const options = { module: { type: 'commonjs' }, jsc: { parser: { syntax: 'typescript' }, target: 'es2023' } };
    writeFileSync(join(folder, `${name}.js`), swc.transformFileSync(join(ROOT, `test/onnx/${name}.ts`), options).code);
  }
  const models = require(join(folder, 'models.js'));
  const file = (name, bytes) => {
    writeFileSync(join(folder, name), bytes);
    return { path: join(folder, name), sha256: createHash('sha256').update(bytes).digest('hex'), bounded: true };
  };
  return {
    small: file('small.onnx', models.linear([[1], [2], [3], [4]])),
    ofSize: (bytes) => file(`${bytes}.onnx`, models.padded(bytes)),
  };
}

const inputOf = () => ({ name: 'x', datatype: 'FP32', shape: [1, 4], data: Float32Array.of(1, 2, 3, 4) });
const runOf = () => ({ inputs: [inputOf()], outputs: ['y'], engineDeadlineMs: 10_000, expiresAt: performance.now() + 60_000 });

/** A prediction of one row, from the supervisor to the engine and back. */
async function roundTrip({ small }) {
  const room = new Room();
  await room.supervisor.load(small);
  const echo = startEcho();
  const session = await ort.InferenceSession.create(readFileSync(small.path), OPTIONS);
  const echoed = () => new Promise((resolve) => echo.once('message', resolve).send({ inputs: [inputOf()] }));
  await once(echo, 'message');
  const [ours, channel, inline] = await byTurns(7, [
    () => perCall(() => room.supervisor.run(small, runOf())),
    () => perCall(echoed),
    () => perCall(() => session.run({ x: new ort.Tensor('float32', Float32Array.of(1, 2, 3, 4), [1, 4]) })),
  ]);
  echo.kill();
  await room.close();
  const sum = channel + inline;
  console.log(
    `a run of one row in a host: ${us(ours)}; a bare fork's echo: ${us(channel)}, a run inline: ${us(inline)}; ${(ours / sum).toFixed(2)} of both together`,
  );
}

/** An import, against a process of its own that loads and runs the model and does nothing else. */
async function importOf(model, bytes, rounds) {
  const room = new Room();
  const [ours, bare] = await byTurns(rounds, [() => timed(() => room.runtime.import(model)), () => timed(() => loadAlone(model))]);
  await room.close();
  console.log(
    `import of ${mib(bytes)}: ${ms(ours)}; a fresh process that loads and runs it: ${ms(bare)}; ${(ours / bare).toFixed(2)} of it`,
  );
}

/** What an idle host with a small model takes; of what it shares with the server only its part (PSS). */
async function memory({ small }) {
  const room = new Room();
  await room.supervisor.load(small);
  const bare = startEcho();
  await once(bare, 'message');
  const of = (pid, name) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) * 1024;
  const [pss, rss, its] = [of(room.pid, 'Pss'), of(room.pid, 'Rss'), of(bare.pid, 'Pss')];
  bare.kill();
  await room.close();
  console.log(
    `an idle host with a small model: ${mib(pss)} PSS, ${mib(rss)} RSS; a bare Node process: ${mib(its)} PSS; ${(pss / its).toFixed(2)} of it`,
  );
}

/** From the kill of the only host until the next answer, against a fresh process that loads the model and runs it. */
async function restart({ small }) {
  const room = new Room();
  const [ours, bare] = await byTurns(9, [
    async () => {
      await room.supervisor.unload(small); // forgets what ended its hosts
      await room.supervisor.run(small, runOf());
      for (const host of room.launched.filter(({ running }) => running)) process.kill(host.child.pid, 'SIGKILL');
      return timed(() => room.supervisor.run(small, runOf()));
    },
    () => timed(() => loadAlone(small)),
  ]);
  await room.close();
  console.log(
    `from the kill of a host to the next answer: ${ms(ours)}; a fresh process that loads and runs: ${ms(bare)}; ${(ours / bare).toFixed(2)} of it`,
  );
}

const wanted = process.argv.slice(2);
const wants = (name) => wanted.length === 0 || wanted.includes(name);
const folder = mkdtempSync(join(tmpdir(), 'analytics-api-bench-'));
try {
  const models = modelsIn(folder);
  console.log(`${cpus().length} x ${cpus()[0].model}, Node ${process.version}; medians, by turns`);
  if (wants('call')) await roundTrip(models);
  if (wants('import')) await importOf(models.ofSize(MIB), MIB, 9);
  if (wants('import')) await importOf(models.ofSize(100 * MIB), 100 * MIB, 5);
  if (wants('memory')) await memory(models);
  if (wants('restart')) await restart(models);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
