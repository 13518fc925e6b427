import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createClient, type RedisClientType } from 'redis';
import { until } from '../process/processes';

const START_MS = 10_000;

/** How a Redis is started. */
export interface RedisOptions {
  readonly args?: readonly string[];
  /** Absent: a free one. */
  readonly port?: number;
  /** The text of an ACL file. */
  readonly acl?: string;
  /** As `REDIS_URL` has it before the host: `user:password@`. */
  readonly login?: string;
}

/** A real `redis-server` on a free port that writes nothing to disk. */
export class RedisProcess {
  private child: ChildProcess | undefined;
  private readonly folder = mkdtempSync(join(tmpdir(), 'analytics-api-redis-'));

  private constructor(
    readonly port: number,
    private readonly options: RedisOptions,
  ) {}

  /** Starts one that answers; whoever does, removes it. */
  static async start(options: RedisOptions = {}): Promise<RedisProcess> {
    const redis = new RedisProcess(options.port ?? (await freePort()), options);
    try {
      await redis.begin();
      return redis;
    } catch (error) {
      await redis.remove();
      throw error;
    }
  }

  get url(): string {
    return `redis://${this.options.login ?? ''}127.0.0.1:${this.port}`;
  }

  /** Starts it where it had ended, on the same port; empty, unless it was told to save. */
  async begin(more: readonly string[] = []): Promise<void> {
    const { args = [], acl } = this.options;
    const aclFile = join(this.folder, 'users.acl');
    if (acl !== undefined) writeFileSync(aclFile, acl);
    const own = ['--bind', '127.0.0.1', '--port', String(this.port), '--save', '', '--dir', this.folder];
    this.child = spawn('redis-server', [...own, ...(acl === undefined ? [] : ['--aclfile', aclFile]), ...args, ...more], {
      stdio: 'ignore',
    });
    await until('Redis listens', () => canConnect(this.port), START_MS);
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.child?.kill(name);
  }

  /** As a power cut. */
  async kill(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Tells of every command from now on; it ends with the Redis. */
  async monitor(tell: (line: string) => void): Promise<void> {
    const socket = connect(this.port, '127.0.0.1');
    socket.on('error', () => undefined);
    const lines = createInterface(socket);
    const begun = once(lines, 'line');
    socket.write('MONITOR\r\n');
    await begun;
    lines.on('line', tell);
  }

  /** A client of the test's own, for what the cache does not do itself. */
  async ask<T>(what: (client: RedisClientType) => Promise<T>, login = this.options.login ?? ''): Promise<T> {
    const client: RedisClientType = createClient({ url: `redis://${login}127.0.0.1:${this.port}`, disableClientInfo: true });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await what(client);
    } finally {
      await client.disconnect();
    }
  }
}

/** A suite that needs programs that are not there is skipped and says so; in a gate it fails. */
export function describeWith(programs: readonly string[], title: string, suite: () => void): void {
  const missing = programs.filter((program) => spawnSync(program, ['-v']).error !== undefined);
  if (missing.length === 0 || process.env['CI'] !== undefined) describe(title, suite);
  else describe.skip(`${title} (SKIPPED: there is no ${missing.join(', no ')} here)`, suite);
}

/** A suite over real Redis processes. */
export function describeWithRedis(title: string, suite: () => void): void {
  describeWith(['redis-server'], title, suite);
}

/** A port that nobody has, a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function canConnect(port: number): Promise<boolean> {
  const client = createClient({ socket: { port, host: '127.0.0.1', reconnectStrategy: false }, disableClientInfo: true });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.disconnect();
    return true;
  } catch {
    return false;
  }
}
