import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogLine } from '../e2e/test-app';
import { until } from './processes';

/** Variables for the environment of a server, which has few others. */
export type Settings = Readonly<Record<string, string>>;

/** What a server answered. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // the specs say what they expect of it
  readonly body: any; // oxlint-disable-line typescript/no-explicit-any
}

/** How a server ended. */
export interface Ending {
  readonly code: number | null;
  /** Milliseconds from the signal, or from the start where there was none, to the exit. */
  readonly ms: number;
}

const MAIN = join(__dirname, '..', '..', 'dist', 'main.js');
const START_MS = 60_000;
const END_MS = 60_000;

/** The real server, `dist/main.js`, in a process of its own: on a free port and in a folder of its own unless the settings say otherwise. */
export class ServerProcess {
  /** Standard output and standard error, as far as they have arrived. */
  stdout = '';
  stderr = '';
  /** Milliseconds from the start to the first yes of `/health/startup`. */
  readyMs = Number.NaN;
  readonly modelsDir: string;
  private readonly startedAt = performance.now();
  private readonly child: ChildProcess;
  private readonly closed: Promise<unknown>;
  private readonly folder = mkdtempSync(join(tmpdir(), 'analytics-api-process-'));

  private constructor(settings: Settings, under: readonly string[]) {
    this.modelsDir = settings['MODELS_DIR'] ?? join(this.folder, 'models');
    // a temporary folder of its own: one that is killed leaves some there
    const env = { PORT: '0', TMPDIR: this.folder, BACKUPS_DIR: join(this.folder, 'backups'), ...settings, MODELS_DIR: this.modelsDir };
    const command = [...under, process.execPath, MAIN];
    this.child = spawn(command[0] as string, command.slice(1), { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.closed = once(this.child, 'close'); // the exit, and the end of both streams
  }

  /** Starts a server; whoever does, removes it. @param under what comes before its command, as `SlowDisk` has it */
  static launch(settings: Settings = {}, under: readonly string[] = []): ServerProcess {
    return new ServerProcess(settings, under);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Where it listens, as it told the operator. */
  get origin(): string {
    const origin = /^analytics-api listens on (http:\/\/\S+?),/m.exec(this.stderr)?.[1];
    if (origin === undefined) throw new Error(`it does not listen; its standard error:\n${this.stderr}`);
    return origin;
  }

  /** Every line of the log. @throws where one is no JSON object */
  get log(): readonly LogLine[] {
    return this.stdout.split('\n').slice(0, -1).map(parseLine);
  }

  /** Waits until `/health/startup` says yes. @throws where it does not, or where the process ends */
  async ready(): Promise<void> {
    await this.listening();
    await until('/health/startup says yes', async () => (await this.get('/health/startup')).status === 200, START_MS);
    this.readyMs = performance.now() - this.startedAt;
  }

  /** Waits for the open port. @throws where the process ends before */
  async listening(): Promise<void> {
    await until('it listens, or ends', () => !this.running || this.stderr.includes(' listens on '), START_MS);
    void this.origin;
  }

  get(path: string): Promise<Answer> {
    return this.fetch(path);
  }

  predict(model: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const json = { 'Content-Type': 'application/json', ...headers };
    return this.fetch(`/api/v1/predict/${model}`, { method: 'POST', headers: json, body: JSON.stringify(body) });
  }

  /** @param body a form, or what is sent as JSON */
  ask(method: string, path: string, body?: object): Promise<Answer> {
    if (body === undefined || body instanceof FormData) return this.fetch(path, { method, ...(body && { body }) });
    return this.fetch(path, { method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  }

  /** Uploads a model into production: an ONNX file, or files by name. */
  async serve(name: string, model: Buffer | Readonly<Record<string, Buffer>>, metadata: object = {}): Promise<void> {
    const form = new FormData();
    form.set('name', name);
    form.set('stage', 'production');
    form.set('metadata', JSON.stringify(metadata));
    const files = Buffer.isBuffer(model) ? { 'model.onnx': model } : model;
    for (const [file, bytes] of Object.entries(files)) form.append('file', new Blob([Uint8Array.from(bytes)]), file);
    const { status, body } = await this.fetch('/api/v1/models', { method: 'POST', body: form });
    if (status !== 201) throw new Error(`${name} is not served: ${JSON.stringify(body)}`);
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ending> {
    const signalledAt = performance.now();
    this.child.kill(signal);
    return this.ended(signalledAt);
  }

  /** Waits for an end that the server comes to by itself. @throws where it does not, and kills it */
  async ended(since = this.startedAt): Promise<Ending> {
    const timer = new AbortController();
    const late = sleep(END_MS, 'late', { signal: timer.signal }).catch(() => 'ended');
    const how = await Promise.race([this.closed, late]);
    timer.abort();
    if (how !== 'late') return { code: this.child.exitCode, ms: performance.now() - since };
    await this.kill();
    throw new Error(`it had not ended after ${END_MS} ms; its standard error:\n${this.stderr}`);
  }

  /** Ends it at once, as a power cut would. */
  async kill(): Promise<void> {
    if (this.running) this.child.kill('SIGKILL');
    await this.closed;
  }

  /** Ends it if it runs, and takes away what it left, but for a registry that the settings named. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async fetch(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(this.origin + path, { ...init, signal: AbortSignal.timeout(END_MS) });
    return { status: response.status, headers: response.headers, body: response.status === 204 ? undefined : await response.json() };
  }
}

/** The servers of a test, so that none outlives it. */
export class Servers {
  private readonly started: ServerProcess[] = [];

  launch(settings: Settings = {}, under: readonly string[] = []): ServerProcess {
    const server = ServerProcess.launch(settings, under);
    this.started.push(server);
    return server;
  }

  /** Starts a server and waits until it is ready. */
  async start(settings: Settings = {}, under: readonly string[] = []): Promise<ServerProcess> {
    const server = this.launch(settings, under);
    await server.ready();
    return server;
  }

  async remove(): Promise<void> {
    await Promise.all(this.started.splice(0).map((server) => server.remove()));
  }
}

function parseLine(line: string): LogLine {
  const value: unknown = JSON.parse(line);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`no JSON object: ${line}`);
  return value as LogLine;
}
