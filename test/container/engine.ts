import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { until } from '../process/processes';

/** The image under test, and the program that runs it: docker or podman. `npm run test:container` sets both. */
export const IMAGE = process.env['E2E_IMAGE'] ?? '';
export const ENGINE = process.env['CONTAINER_ENGINE'] ?? 'docker';
export const NETWORK = 'trading-network';

const NODE_USER = 1000;
export const PORT = 4100;
const READY_MS = 30_000;
const END_MS = 40_000;
const run = promisify(execFile);

/** As the compose file has it: a read-only root, no capabilities, no way to more, limits. */
export const HARDENED: readonly string[] = [
  '--read-only',
  // podman would add writable folders of its own
  ...(ENGINE === 'podman' ? ['--read-only-tmpfs=false'] : []),
  '--tmpfs=/tmp:size=64m,mode=1777',
  '--cap-drop=ALL',
  '--security-opt=no-new-privileges',
  '--pids-limit=512',
  '--cpus=2',
  '--memory=4g',
  // the rights of a folder of this machine are those of whoever runs the tests
  ...(process.getuid?.() === 0 ? [] : [`--user=${process.getuid?.()}:${process.getgid?.()}`]),
];

/** What a command of the engine wrote to standard output. @throws where it fails, with what it said */
export async function engine(...args: readonly string[]): Promise<string> {
  return (await run(ENGINE, args, { timeout: END_MS })).stdout.trim();
}

export interface ContainerOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments for the engine beside those that harden. */
  readonly args?: readonly string[];
  /** A folder of this machine for the registry, in place of a volume that goes with the container. */
  readonly modelsDir?: string | undefined;
}

let started = 0;

/** A container of the image, attached: its streams and its exit code are those of the engine's own process. It is removed when it has ended. */
export class Container {
  /** What it wrote so far. */
  stdout = '';
  stderr = '';
  /** Where this machine reaches it. */
  origin = '';
  /** Milliseconds from the engine's command to the first yes of `/health/startup`. */
  readyMs = Number.NaN;
  readonly name = `analytics-api-test-${process.pid}-${++started}`;
  private readonly startedAt = performance.now();
  private readonly child: ChildProcess;
  private readonly closed: Promise<unknown>;

  private constructor({ env = {}, args = [], modelsDir }: ContainerOptions) {
    const settings = Object.entries({ AUTH_MODE: 'none', ...env }).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
    const volume = modelsDir === undefined ? [] : [`--volume=${openTo(modelsDir)}:/app/models`];
    const all = ['run', '--rm', `--name=${this.name}`, `--publish=127.0.0.1::${PORT}`, ...HARDENED, ...volume, ...settings, ...args, IMAGE];
    this.child = spawn(ENGINE, all, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.closed = once(this.child, 'close');
  }

  /** Starts one; whoever does, stops or removes it. */
  static launch(options: ContainerOptions = {}): Container {
    return new Container(options);
  }

  /** Waits until a probe says yes. @throws where it does not, or where the container ends */
  async ready(probe = 'startup'): Promise<void> {
    await until(`it listens:\n${this.stderr}`, () => !this.running || this.stderr.includes(' listens on '), READY_MS);
    if (!this.running) throw new Error(`the container has ended with ${this.child.exitCode}:\n${this.stderr}${this.stdout}`);
    this.origin = `http://${await engine('port', this.name, String(PORT))}`;
    await until(`/health/${probe} says yes`, () => this.saysYes(probe), READY_MS);
    this.readyMs = performance.now() - this.startedAt;
  }

  private async saysYes(probe: string): Promise<boolean> {
    return fetch(`${this.origin}/health/${probe}`).then(
      ({ ok }) => ok,
      () => false, // the engine has opened the port before there is somebody behind it
    );
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** What a shell in the container says. @throws where it fails */
  async shell(script: string, ...args: readonly string[]): Promise<string> {
    return engine('exec', ...args, this.name, 'sh', '-c', script);
  }

  /** Sends SIGTERM, through the engine's own process as `docker stop` would. @returns the exit code of the container, and after how long */
  async stop(): Promise<{ readonly code: number | null; readonly ms: number }> {
    const signalledAt = performance.now();
    this.child.kill('SIGTERM');
    return this.ended(signalledAt);
  }

  /** Waits for an end that it comes to by itself. */
  async ended(since = this.startedAt): Promise<{ readonly code: number | null; readonly ms: number }> {
    const patience = new AbortController();
    await Promise.race([this.closed, sleep(END_MS, undefined, { signal: patience.signal }).catch(() => {})]);
    patience.abort();
    if (this.running) throw new Error(`${this.name} had not ended after ${END_MS} ms:\n${this.stderr}`);
    return { code: this.child.exitCode, ms: performance.now() - since };
  }

  /** Ends it at once, as a power cut would, and takes it away. */
  async remove(): Promise<void> {
    if (this.running) await engine('rm', '--force', '--volumes', this.name).catch(() => {});
    this.child.kill('SIGKILL');
    await this.closed;
  }
}

/** Makes a folder one that the image's user may write to. */
function openTo(folder: string): string {
  if (process.getuid?.() === 0) chownSync(folder, NODE_USER, NODE_USER);
  else chmodSync(folder, 0o777);
  return folder;
}
