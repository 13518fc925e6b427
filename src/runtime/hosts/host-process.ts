import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import type { Duplex } from 'node:stream';
import { EngineCrashed, EngineUnavailable, InferenceFailed, ModelDamaged, ModelRefused } from '../runtime.errors';
import { HostChannel } from './host-channel';
import { CHANNEL_FD, type HostAnswers, type HostFault, type HostReply, type HostRequest } from './host-protocol';

const SETPRIV = '/usr/bin/setpriv';
const PRLIMIT = '/usr/bin/prlimit';
const LEAST_PRIORITY = 19;
const STDERR_KEPT = 2048;
/** A host that says more than this to its standard error is not listened to any more. */
const STDERR_READ = 2 ** 20;

/**
 * glibc keeps what was freed (mallopt(3)); a host that models come to and leave would only grow: 208 MiB after models of 16 MiB, 96 to 144
 * with these, at the same speed. Smaller thresholds make every run of a convolution half as slow again.
 */
const ENVIRONMENT = {
  ORT_DISABLE_TELEMETRY: '1',
  TF_CPP_MIN_LOG_LEVEL: '2',
  MALLOC_MMAP_THRESHOLD_: `${4 * 2 ** 20}`,
  MALLOC_TRIM_THRESHOLD_: `${16 * 2 ** 20}`,
};

/** A host collects its garbage itself where that is most of what it has: the bytes of a model that the engine has read. */
const FLAGS = ['--expose-gc'];

/** Of this process, whoever launched them. */
const running = new Set<number>();

/** The engine hosts of this process that run. */
export function hostPids(): Iterable<number> {
  return running;
}

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
  /** Settles when the process has ended, however it ended: the signal or the exit code. */
  readonly ended: Promise<string>;
  private readonly child: ChildProcess;
  private readonly channel: HostChannel | undefined;
  private readonly folder = mkdtempSync(join(tmpdir(), 'analytics-api-host-'));
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;
  private complaint = '';
  private heard = 0;
  private alive = true;
  /** Whether it was killed as something took too long. */
  overran = false;

  /** @param entry the script of the host @param memoryMb data limit of the process, 2^20 bytes */
  constructor(entry: string, memoryMb: number) {
    const [command, ...args] = commandOf(entry, memoryMb);
    // an empty working folder: nothing to read; no environment but what the engine needs: no secrets; nobody reads its standard output
    this.child = spawn(command, args, {
      cwd: this.folder,
      env: ENVIRONMENT,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    if (this.child.pid !== undefined) running.add(this.child.pid);
    this.ended = new Promise((resolve) => {
      const end = (how: string): void => {
        this.end(how);
        resolve(how);
      };
      this.child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));
      // a process that never began has no exit; one that could not be told something goes on
      this.child.on('error', (error) => {
        if (this.child.pid === undefined) end(error.message);
      });
    });
    this.child.stderr?.on('data', (text: Buffer) => this.hear(text));
    // there is none where the process never began
    const stream = this.child.stdio?.[CHANNEL_FD] as Duplex | undefined;
    this.channel =
      stream &&
      new HostChannel(
        stream,
        (reply) => this.settle(reply as HostReply),
        (what) => this.distrust(what),
      );
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
   *   the process ends by itself; EngineUnavailable where it never began; ModelRefused, ModelDamaged, InferenceFailed as the host says
   */
  async ask<K extends HostRequest['do']>(request: Extract<HostRequest, { do: K }>, limit: TimeLimit): Promise<HostAnswers[K]> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.overran = true;
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

  /** From now on it gets what time others leave. Where the system does not do that, it goes on as it was. */
  yield(): void {
    try {
      if (this.child.pid !== undefined) setPriority(this.child.pid, LEAST_PRIORITY);
    } catch {
      // it has ended already, or may not be changed: neither is a reason not to work
    }
  }

  /** Ends the process at once, whatever it does. */
  kill(): void {
    this.child.kill('SIGKILL');
  }

  private send<K extends HostRequest['do']>(request: Extract<HostRequest, { do: K }>): Promise<HostAnswers[K]> {
    const id = ++this.lastId;
    return new Promise<HostAnswers[K]>((resolve, reject) => {
      if (this.child.pid === undefined) return reject(new EngineUnavailable());
      if (!this.alive || this.channel === undefined) return reject(new EngineCrashed('it had ended before'));
      this.waiting.set(id, { resolve, reject });
      this.channel.send({ ...request, id });
    });
  }

  /** @throws where it is no reply to anything that was asked: the channel takes that for garbage */
  private settle(reply: HostReply): void {
    const waiting = this.waiting.get(reply.id);
    if (waiting === undefined) throw new Error('it answered what nobody asked');
    this.waiting.delete(reply.id);
    if ('error' in reply) waiting.reject(errorOf(reply.error));
    else waiting.resolve(reply.value as never);
  }

  private hear(text: Buffer): void {
    this.complaint = (this.complaint + text.toString()).slice(-STDERR_KEPT);
    this.heard += text.length;
    if (this.heard > STDERR_READ) this.child.stderr?.destroy();
  }

  /** Whoever sends garbage once may send a wrong number next. */
  private distrust(what: string): void {
    this.complaint = `${this.complaint}\ngarbage on the channel: ${what}`;
    this.kill();
  }

  private end(how: string): void {
    this.alive = false;
    if (this.child.pid !== undefined) running.delete(this.child.pid);
    for (const { reject } of this.waiting.values()) reject(new EngineCrashed(how));
    this.waiting.clear();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * On Linux a data limit, and the kernel ends the host with its parent: one that loops inside the engine would never notice that the
 * channel is closed.
 */
function commandOf(entry: string, memoryMb: number): [string, ...(readonly string[])] {
  if (!existsSync(SETPRIV) || !existsSync(PRLIMIT)) return [execPath, ...FLAGS, entry];
  return [SETPRIV, '--pdeathsig', 'KILL', PRLIMIT, `--data=${memoryMb * 2 ** 20}`, execPath, ...FLAGS, entry];
}

function errorOf(fault: HostFault): Error {
  if (fault.fault === 'damaged') return new ModelDamaged(fault.expected, fault.actual);
  return fault.fault === 'refused' ? new ModelRefused(fault.reason) : new InferenceFailed(fault.reason);
}
