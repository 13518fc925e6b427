// What the benches of a loaded server share: the server in a process of its own, models for it, and callers over plain sockets.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import swc from '@swc/core';

const ROOT = join(import.meta.dirname, '..');
const require = createRequire(import.meta.url);
const HEAD_END = Buffer.from('\r\n\r\n');

export const machine = () => ({ cpus: cpus().length, model: cpus()[0].model, node: process.version });
export const sorted = (values) => values.toSorted((a, b) => a - b);
/** @param part 0.5: the median @returns NaN of nothing */
export const share = (values, part) => sorted(values)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? Number.NaN;
export const median = (values) => share(values, 0.5);

/** The tests' own writer of ONNX, and the models made with it. */
export function onnxModels() {
  const folder = mkdtempSync(join(tmpdir(), 'analytics-api-bench-'));
  for (const name of ['onnx-writer', 'models']) {
    const options = { module: { type: 'commonjs' }, jsc: { parser: { syntax: 'typescript' }, target: 'es2023' } };
    writeFileSync(join(folder, `${name}.js`), swc.transformFileSync(join(ROOT, `test/onnx/${name}.ts`), options).code);
  }
  const { onnxModel, floats, DTYPE } = require(join(folder, 'onnx-writer.js'));
  const { slowLoop } = require(join(folder, 'models.js'));
  rmSync(folder, { recursive: true });
  return { slowLoop, mlp: (...sizes) => mlp({ onnxModel, floats, DTYPE }, ...sizes) };
}

/** A perceptron: x FP32 [free, inputs] to y FP32 [free, 1]. From one hidden layer to the next the weights are the same, so the file stays small. */
function mlp({ onnxModel, floats, DTYPE }, inputs, hidden, layers) {
  const weights = (name, rows, columns) => {
    const values = Float32Array.from({ length: rows * columns }, (_, at) => (((at * 7919) % 201) - 100) / 100 / rows);
    return floats(name, [rows, columns], values);
  };
  const node = (op, from, to) => ({ op, inputs: from, outputs: [to] });
  const between = Array.from({ length: layers - 1 }, (_, at) => at + 1);
  const value = (name, columns) => ({ name, dtype: DTYPE.float32, dims: [null, columns] });
  return onnxModel({
    graph: {
      name: 'mlp',
      inputs: [value('x', inputs)],
      outputs: [value('y', 1)],
      nodes: [
        node('MatMul', ['x', 'a'], 'sum-1'),
        ...between.flatMap((layer) => [
          node('Relu', [`sum-${layer}`], `layer-${layer}`),
          node('MatMul', [`layer-${layer}`, 'b'], `sum-${layer + 1}`),
        ]),
        node('Relu', [`sum-${layers}`], 'last'),
        node('MatMul', ['last', 'c'], 'y'),
      ],
      initializers: [weights('a', inputs, hidden), weights('b', hidden, hidden), weights('c', hidden, 1)],
    },
  });
}

/** Seconds that children used who have ended: the two numbers after the process's own, in ticks. */
function endedChildrenOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

/** Seconds, from the scheduler's own count in nanoseconds. */
function cpuOf(pid) {
  const tasks = `/proc/${pid}/task`;
  const used = readdirSync(tasks).map((task) => Number(readFileSync(join(tasks, task, 'schedstat'), 'utf8').split(' ')[0]));
  return used.reduce((sum, each) => sum + each, 0) / 1e9;
}

function treeOf(pid) {
  const tasks = `/proc/${pid}/task`;
  const children = readdirSync(tasks).flatMap((task) =>
    readFileSync(join(tasks, task, 'children'), 'utf8')
      .trim()
      .split(' '),
  );
  return [pid, ...children.filter((child) => child !== '').flatMap(treeOf)];
}

/** Seconds of CPU that the whole machine has used, with what the kernel and other guests took. */
function busySeconds() {
  const [user, nice, system, , , irq, soft, steal] = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0].trim().split(/ +/).slice(1);
  return [user, nice, system, irq, soft, steal].reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

/** How many cores others use, who are neither this process nor the server and its engines. @returns to be asked later: since then */
function watchOthers(server) {
  const used = () => {
    const { user, system } = process.cpuUsage();
    return busySeconds() - (user + system) / 1e6 - server.treeCpuSeconds;
  };
  const [startedAt, before] = [performance.now(), used()];
  return () => Math.max(0, ((used() - before) * 1000) / (performance.now() - startedAt));
}

const [QUIET_CORES, TRIES, PATIENCE] = [0.15, 2, 10];

/**
 * Measures while nobody else uses the machine: waits for that, and where somebody came does it again. What counts is the try in which others
 * used least, whatever it shows.
 * @returns what was measured, with `othersCores`
 */
export async function quietly(server, measure) {
  let best;
  for (let attempt = 0; attempt < TRIES && !(best?.othersCores <= QUIET_CORES); attempt++) {
    for (let at = 0; at < PATIENCE; at++) {
      const others = watchOthers(server);
      await sleep(1000);
      if (others() <= QUIET_CORES) break;
    }
    const others = watchOthers(server);
    const figures = await measure();
    const othersCores = Number(others().toFixed(2));
    if (best === undefined || othersCores < best.othersCores) best = { ...figures, othersCores };
  }
  return best;
}

/** The server of a checkout that was built, on a free port of loopback, with settings as they come and an empty registry. */
export class Server {
  folder = mkdtempSync(join(tmpdir(), 'analytics-api-bench-'));
  said = '';

  static async start(checkout = ROOT) {
    const server = new Server();
    const settings = {
      PORT: '0',
      EXAMPLES: 'off',
      DRAIN_SECONDS: '0',
      CACHE_TTL_SECONDS: '0',
      MODELS_DIR: join(server.folder, 'models'),
      TMPDIR: server.folder,
    };
    const env = { PATH: process.env.PATH, ...settings };
    server.child = spawn(process.execPath, [join(checkout, 'dist/main.js')], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    server.child.stderr.on('data', (text) => (server.said += text));
    while ((server.origin = /listens on (\S+),/.exec(server.said)?.[1]) === undefined) {
      if (server.child.exitCode !== null) throw new Error(server.said);
      await sleep(5);
    }
    return server;
  }

  /** Uploads a model into production. @returns what the server says of its version */
  async serve(name, model, metadata = {}) {
    const form = new FormData();
    for (const [key, value] of Object.entries({ name, stage: 'production', metadata: JSON.stringify(metadata) })) form.set(key, value);
    form.set('file', new Blob([model]), 'model.onnx');
    const response = await fetch(`${this.origin}/api/v1/models`, { method: 'POST', body: form });
    if (response.status !== 201) throw new Error(await response.text());
    const version = await fetch(`${this.origin}/api/v1/models/${name}/versions/1`);
    return version.json();
  }

  /** Seconds of CPU that the process has used, its engine processes not counted. */
  get cpuSeconds() {
    return cpuOf(this.child.pid);
  }

  /** With all that it started. */
  get treeCpuSeconds() {
    return treeOf(this.child.pid).reduce((sum, pid) => sum + cpuOf(pid) + endedChildrenOf(pid), 0);
  }

  async stop() {
    if (this.child.exitCode === null) this.child.kill('SIGTERM');
    if (this.child.exitCode === null) await once(this.child, 'exit');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Bytes of a request whose connection stays open. */
export function requestOf({ origin }, method, path, body = '') {
  const { host } = new URL(origin);
  const type = body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${type}\r\n${body}`);
}

/** Fewer than the server takes of one address. Where all are busy, what is due waits for one, and its time counts. */
const MAX_CONNECTIONS = 900;

/** Callers over plain sockets that stay open: as many as there are requests on their way, each with one at a time. It costs little. */
export class Callers {
  idle = [];
  all = new Set();
  waiting = [];
  closed = false;

  constructor({ origin }) {
    this.port = Number(new URL(origin).port);
  }

  /** @returns with its status (0: none came), its head, and when its last byte arrived */
  call(request) {
    return new Promise((resolve) => {
      this.waiting.push({ request, done: resolve });
      this.send();
    });
  }

  close() {
    this.closed = true;
    for (const { socket } of this.all) socket.destroy();
  }

  send() {
    while (this.waiting.length > 0 && (this.idle.length > 0 || this.all.size < MAX_CONNECTIONS)) {
      const { request, done } = this.waiting.shift();
      const line = this.idle.pop() ?? this.open();
      line.done = done;
      line.socket.write(request);
    }
  }

  open() {
    const line = { socket: connect({ port: this.port, host: '127.0.0.1', noDelay: true }), received: [], done: undefined };
    this.all.add(line);
    line.socket.on('data', (chunk) => this.read(line, chunk));
    line.socket.on('error', () => {}); // 'close' follows
    line.socket.on('close', () => this.gone(line));
    return line;
  }

  gone(line) {
    this.all.delete(line);
    this.idle = this.idle.filter((each) => each !== line);
    line.done?.({ status: 0, head: '', endedAt: performance.now() });
    if (!this.closed) this.send();
  }

  read(line, chunk) {
    line.received.push(chunk);
    const bytes = line.received.length === 1 ? chunk : Buffer.concat(line.received);
    const headEnd = bytes.indexOf(HEAD_END);
    if (headEnd === -1) return;
    const head = bytes.latin1Slice(0, headEnd);
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (length === undefined) throw new Error(`no length: ${head}`);
    if (bytes.length < headEnd + HEAD_END.length + Number(length)) return;
    const { done } = line;
    line.received = [];
    line.done = undefined;
    if (/\r\nconnection: close/i.test(head)) line.socket.destroy();
    else this.idle.push(line);
    done({ status: Number(head.slice(9, 12)), head, endedAt: performance.now() });
    this.send();
  }
}

/**
 * Sends requests when a schedule says so, whether those before were answered or not. Times count from the schedule, so what the sender is
 * late, and what waits behind a slow answer, is part of them: nothing is omitted.
 * @param gapMs milliseconds from one arrival to the next
 * @returns of each what came of it, `ms` since it was due, and how late it was sent
 */
export async function openLoop({ callers, request, gapMs, seconds }) {
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  const outcomes = [];
  const send = async (dueAt) => {
    const lateMs = performance.now() - dueAt;
    const answer = await callers.call(request);
    outcomes.push({ ...answer, dueAt, lateMs, ms: answer.endedAt - dueAt });
  };
  const sent = [];
  let dueAt = startedAt + gapMs();
  while (dueAt < endsAt) {
    for (const now = performance.now(); dueAt <= now && dueAt < endsAt; dueAt += gapMs()) sent.push(send(dueAt));
    await sleep(1);
  }
  await Promise.all(sent);
  return { startedAt, outcomes };
}

/** Some callers, each of whom sends its next request when the last one was answered. @returns answers a second, and how long each took */
export async function closedLoop({ callers, request, connections, seconds }) {
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  const times = [];
  const caller = async () => {
    for (let now = startedAt; now < endsAt;) {
      const { status, endedAt } = await callers.call(request);
      if (status !== 200) throw new Error(`answered ${status}`);
      times.push(endedAt - now);
      now = endedAt;
    }
  };
  await Promise.all(Array.from({ length: connections }, caller));
  return { perSecond: times.length / ((performance.now() - startedAt) / 1000), times };
}
