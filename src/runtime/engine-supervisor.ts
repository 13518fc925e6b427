import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { RuntimeConfig } from '../config/app-config';
import { HostProcess, type TimeLimit } from './host-process';
import type { EngineAnswer, EngineRun, ModelFile } from './model-runtime.port';
import { CallExpired, EngineCrashed, EngineDeadlineExceeded } from './runtime.errors';

const STOPPING = 'the server stops';

interface Job {
  readonly work: (host: HostProcess) => Promise<void>;
  readonly fail: (error: unknown) => void;
}

/**
 * Keeps one engine host and gives it one piece of work at a time. Work that overruns its deadline is ended by killing the host; the
 * next piece gets a new one, and what it needs is loaded there first.
 */
@Injectable()
export class EngineSupervisor implements OnApplicationShutdown {
  private readonly logger = new Logger(EngineSupervisor.name);
  private readonly queue: Job[] = [];
  private host: HostProcess | undefined;
  private loaded = new Set<string>();
  private working = false;
  private stopped = false;

  constructor(private readonly config: RuntimeConfig) {}

  /** Loads a model where it is not loaded, and warms it up. @throws as the host says, EngineDeadlineExceeded, EngineCrashed */
  load(file: ModelFile): Promise<void> {
    return this.enqueue((host) => this.ensureLoaded(host, file));
  }

  /** Runs a model, loading it first where a new host does not have it yet. @throws CallExpired, and as `load` */
  run(file: ModelFile, run: EngineRun): Promise<EngineAnswer> {
    const queuedAt = performance.now();
    return this.enqueue(async (host) => {
      if (performance.now() > run.expiresAt) throw new CallExpired();
      await this.ensureLoaded(host, file);
      const queueMs = performance.now() - queuedAt;
      const { inputs, outputs } = run;
      const answer = await host.ask({ do: 'run', sha256: file.sha256, inputs, outputs }, within(run.engineDeadlineMs));
      return { ...answer, queueMs };
    });
  }

  unload(file: ModelFile): Promise<void> {
    return this.enqueue(async (host) => {
      if (this.loaded.delete(file.sha256)) await host.ask({ do: 'unload', sha256: file.sha256 }, within(this.config.engineDeadlineMs));
    });
  }

  /** After the last request has been answered. Work that still waits would only start a new host. */
  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    for (const { fail } of this.queue.splice(0)) fail(new EngineCrashed(STOPPING));
    this.host?.kill();
    await this.host?.ended;
  }

  private enqueue<T>(work: (host: HostProcess) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.stopped) return reject(new EngineCrashed(STOPPING));
      this.queue.push({ work: async (host) => resolve(await work(host)), fail: reject });
      void this.drain();
    });
  }

  private async drain(): Promise<void> {
    if (this.working) return;
    this.working = true;
    for (let job = this.queue.shift(); job !== undefined; job = this.queue.shift()) {
      await job.work(this.ensureHost()).catch(job.fail);
    }
    this.working = false;
  }

  private ensureHost(): HostProcess {
    if (this.host?.running) return this.host;
    const host = new HostProcess(this.config.hostMemoryMb);
    this.host = host;
    this.loaded = new Set();
    void host.ended.then(() => {
      if (!this.stopped) this.logger.warn('engine host ended', { stderr: host.lastWords });
    });
    return host;
  }

  private async ensureLoaded(host: HostProcess, { path, sha256 }: ModelFile): Promise<void> {
    if (this.loaded.has(sha256)) return;
    await host.ask({ do: 'load', path, sha256 }, within(this.config.importDeadlineSeconds * 1000));
    this.loaded.add(sha256);
  }
}

function within(milliseconds: number): TimeLimit {
  return { milliseconds, error: () => new EngineDeadlineExceeded(milliseconds) };
}
