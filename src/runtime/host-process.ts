import { type ChildProcess, fork, type ForkOptions } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import type { HostAnswers, HostFault, HostReply, HostRequest } from './host-protocol';
import { EngineCrashed, InferenceFailed, ModelDamaged, ModelRefused } from './runtime.errors';

// both from src/ (tests) and from dist/: a host is always the compiled file
const ENTRY = join(__dirname, '..', '..', 'dist', 'runtime', 'host.main.js');
const SETPRIV = '/usr/bin/setpriv';
const PRLIMIT = '/usr/bin/prlimit';
const STDERR_KEPT = 2048;

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** How long an answer may take, and what is thrown when it took longer. */
export interface TimeLimit {
  readonly milliseconds: number;
  readonly error: () => Error;
}

/** One engine host, seen from the server: a child process that can be asked and killed. */
export class HostProcess {
  /** Settles when the process has ended, however it ended. */
  readonly ended: Promise<void>;
  private readonly child: ChildProcess;
  private readonly folder = mkdtempSync(join(tmpdir(), 'analytics-api-host-'));
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;
  private complaint = '';
  private alive = true;

  /** @param memoryMb data limit of the process, 2^20 bytes */
  constructor(memoryMb: number) {
    this.child = fork(ENTRY, [], forkOptions(this.folder, memoryMb));
    this.child.on('message', (reply) => this.settle(reply as HostReply));
    this.child.stderr?.on('data', (text: Buffer) => (this.complaint = (this.complaint + text.toString()).slice(-STDERR_KEPT)));
    this.ended = new Promise((resolve) => {
      const end = (how: string): void => {
        this.end(how);
        resolve();
      };
      this.child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));
      // a process that never began has no exit; one that could not be told something goes on
      this.child.on('error', (error) => {
        if (this.child.pid === undefined) end(error.message);
      });
    });
  }

  get running(): boolean {
    return this.alive;
  }

  /** The last that the process wrote to its standard error, for the log of a crash. */
  get lastWords(): string {
    return this.complaint.trim();
  }

  /**
   * @throws the error of `limit` after its milliseconds, with the process killed: nothing else stops an engine; EngineCrashed where
   *   the process ends by itself; ModelRefused, ModelDamaged, InferenceFailed as the host says
   */
  async ask<K extends HostRequest['do']>(request: Extract<HostRequest, { do: K }>, limit: TimeLimit): Promise<HostAnswers[K]> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.kill();
    }, limit.milliseconds);
    try {
      return await this.send(request);
    } catch (error) {
      throw late ? limit.error() : error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the process at once, whatever it does. */
  kill(): void {
    this.child.kill('SIGKILL');
  }

  private send<K extends HostRequest['do']>(request: Extract<HostRequest, { do: K }>): Promise<HostAnswers[K]> {
    const id = ++this.lastId;
    return new Promise<HostAnswers[K]>((resolve, reject) => {
      if (!this.alive) return reject(new EngineCrashed('it had ended before'));
      this.waiting.set(id, { resolve, reject });
      this.child.send({ ...request, id }, (error) => {
        if (error !== null) this.kill();
      });
    });
  }

  private settle(reply: HostReply): void {
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if ('error' in reply) waiting?.reject(errorOf(reply.error));
    else waiting?.resolve(reply.value as never);
  }

  private end(how: string): void {
    this.alive = false;
    for (const { reject } of this.waiting.values()) reject(new EngineCrashed(how));
    this.waiting.clear();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * An empty working directory: nothing to read. No environment but what the engine needs: no secrets. On Linux a data limit, and the
 * kernel ends the host with its parent: one that loops inside the engine would never notice that the channel is closed.
 */
function forkOptions(cwd: string, memoryMb: number): ForkOptions {
  const plain: ForkOptions = {
    cwd,
    env: { ORT_DISABLE_TELEMETRY: '1' },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  };
  if (!existsSync(SETPRIV) || !existsSync(PRLIMIT)) return { ...plain, execArgv: [] };
  const guarded = ['--pdeathsig', 'KILL', PRLIMIT, `--data=${memoryMb * 2 ** 20}`, execPath];
  return { ...plain, execPath: SETPRIV, execArgv: guarded };
}

function errorOf(fault: HostFault): Error {
  if (fault.fault === 'damaged') return new ModelDamaged(fault.expected, fault.actual);
  return fault.fault === 'refused' ? new ModelRefused(fault.reason) : new InferenceFailed(fault.reason);
}
