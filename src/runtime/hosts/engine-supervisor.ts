import { availableParallelism } from 'node:os';
import { Injectable, type OnApplicationShutdown, Optional } from '@nestjs/common';
import { RuntimeConfig } from '../../config/app-config';
import type { EngineAnswer, EngineRun, ModelFile, NextRun } from '../model-runtime.port';
import { EngineCrashed, EngineDeadlineExceeded, ModelRefused } from '../runtime.errors';
import { RuntimeMetrics } from '../runtime.metrics';
import { HostLauncher } from './host-launcher';
import { HostPool, PATIENCE_MS } from './host-pool';
import type { TimeLimit } from './host-process';
import type { PooledHost } from './pooled-host';
import { Quarantine } from './quarantine';

const STOPPING = 'the server stops';
const NOTHING: EngineAnswer = { outputs: [], inferMs: 0 };
/** How the engine's library says that it found no memory for a model. */
const NO_MEMORY = /bad_alloc|Failed to allocate memory/;
/** A run that takes four times as long as it usually does, and at least this, is waited for by nobody else, ms. A load may take longer. */
const OVERRUN_MS = 100;
const LOAD_OVERRUN_MS = 1000;

/** What became of hosts since the start, and how they are. */
export interface HostFigures {
  readonly starts: number;
  readonly kills: number;
  readonly rssBytes: number;
  readonly quarantines: number;
  readonly quarantined: number;
}

interface Job {
  readonly file: ModelFile;
  readonly queuedAt: number;
  /** @returns tells the caller: when the host is free again, as the caller may have more to do at once */
  readonly work: (host: PooledHost) => Promise<() => void>;
  readonly fail: (error: unknown) => void;
  /** Where it ends its host: whether what it was made of is tried again piece by piece. */
  readonly inParts: () => boolean;
  /** It is done for the second time. */
  again: boolean;
}

/**
 * Gives engine hosts what is to be done, one piece of work at a time each. What overruns its deadline is ended by killing its host; what
 * waits moves to another one long before that.
 */
@Injectable()
export class EngineSupervisor implements OnApplicationShutdown {
  private readonly pool: HostPool;
  /** By model; the model that has waited longest for its turn is the first. */
  private readonly waiting = new Map<string, Job[]>();
  private readonly quarantine = new Quarantine();
  private impatience: NodeJS.Timeout | undefined;
  private stopped = false;

  /** @param limit how many hosts may work at the same time */
  constructor(
    private readonly config: RuntimeConfig,
    launcher: HostLauncher,
    @Optional() private readonly metrics?: RuntimeMetrics,
    @Optional() limit: number = Math.max(2, availableParallelism()),
  ) {
    this.pool = new HostPool(launcher, limit, metrics, this.loadLimit, () => this.dispatch());
  }

  /** Loads a model where it is not loaded, and warms it up. @throws as the host says, ModelQuarantined, EngineDeadlineExceeded, EngineCrashed */
  load(file: ModelFile): Promise<void> {
    return this.enqueue(file, (host) => this.ensureLoaded(host, file));
  }

  /** Runs a model, loading it first where a host does not have it yet. @throws as `load` */
  run(file: ModelFile, next: NextRun): Promise<EngineAnswer> {
    let run: EngineRun | undefined;
    const work = async (host: PooledHost): Promise<EngineAnswer> => {
      await this.ensureLoaded(host, file);
      run = next();
      if (run === undefined) return NOTHING;
      const { inputs, outputs, engineDeadlineMs } = run;
      const request = { do: 'run', sha256: file.sha256, inputs, outputs } as const;
      const usual = Math.max(OVERRUN_MS, 4 * (file.usualMs ?? 0));
      return this.watch(host, usual, host.run(request, within(engineDeadlineMs)));
    };
    return this.enqueue(file, work, () => run?.runsInParts?.() ?? false);
  }

  get figures(): HostFigures {
    const { starts, kills, rssBytes } = this.pool;
    return { starts, kills, rssBytes, quarantines: this.quarantine.times, quarantined: this.quarantine.size() };
  }

  /** Frees the memory of a model in every host, after what runs there. */
  async unload({ sha256 }: ModelFile): Promise<void> {
    this.quarantine.forget(sha256);
    await this.pool.unload(sha256);
  }

  /** After the last request has been answered. Work that still waits would only start a new host. */
  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.impatience);
    for (const { fail } of [...this.waiting.values()].flat()) fail(new EngineCrashed(STOPPING));
    this.waiting.clear();
    await this.pool.endAll();
  }

  private enqueue<T>(file: ModelFile, work: (host: PooledHost) => Promise<T>, inParts = () => false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const answered = async (host: PooledHost) => {
        const answer = await work(host);
        return () => resolve(answer);
      };
      this.queue({ file, queuedAt: performance.now(), work: answered, fail: reject, inParts, again: false });
    });
  }

  /** A job that is done again is the next of its model. */
  private queue(job: Job): void {
    const { sha256 } = job.file;
    try {
      if (this.stopped) throw new EngineCrashed(STOPPING);
      this.quarantine.require(sha256);
    } catch (error) {
      return job.fail(error);
    }
    const jobs = this.waiting.get(sha256);
    if (jobs === undefined) this.waiting.set(sha256, [job]);
    else if (job.again) jobs.unshift(job);
    else jobs.push(job);
    this.dispatch();
  }

  /** Gives idle hosts what waits, as long as there is one for any of it. */
  private dispatch(): void {
    while (this.giveNext());
    if (this.waiting.size > 0) this.impatience ??= setTimeout(() => this.lookAgain(), PATIENCE_MS);
  }

  /** @returns whether there was a host for a piece of work */
  private giveNext(): boolean {
    for (const [sha256, jobs] of this.inTurn) {
      const [job] = jobs as [Job];
      const host = this.pool.hostFor(job.file, job.queuedAt);
      if (host === undefined) continue;
      this.waiting.delete(sha256);
      jobs.shift();
      if (jobs.length > 0) this.waiting.set(sha256, jobs); // behind the others
      void this.give(host, job);
      return true;
    }
    return false;
  }

  /** What waits: models with fewer hosts at work first, of those with as many the one that has waited longest for its turn. */
  private get inTurn(): Iterable<[string, Job[]]> {
    if (this.waiting.size < 2) return this.waiting;
    const { atWork } = this.pool;
    return [...this.waiting].toSorted(([a], [b]) => (atWork.get(a) ?? 0) - (atWork.get(b) ?? 0));
  }

  private lookAgain(): void {
    this.impatience = undefined;
    this.dispatch();
  }

  private async give(host: PooledHost, job: Job): Promise<void> {
    host.busy = true;
    host.worksFor = job.file.sha256;
    const tell = await job.work(host).catch((error: unknown) => () => this.failed(job, error, host));
    host.busy = false;
    this.pool.review(host);
    tell();
    this.dispatch();
  }

  /** What may have been another's fault is done once more: a host that somebody else killed, a load that found a host full of others. */
  private failed(job: Job, error: unknown, host: PooledHost): void {
    const crashed = error instanceof EngineCrashed;
    // any other refusal would be the same in a host of its own, and would cost the models that are in this one
    const crowded = error instanceof ModelRefused && NO_MEMORY.test(error.message) && host.models > 0;
    if (this.stopped || job.again || !(crashed || crowded)) {
      const ended = crashed || error instanceof EngineDeadlineExceeded;
      if (!this.stopped && ended && !job.inParts()) this.quarantine.strike(job.file.sha256);
      return job.fail(error);
    }
    job.again = true;
    host.retiring = true;
    this.pool.review(host);
    this.metrics?.countRetry();
    this.queue(job);
  }

  /** Nobody else waits for a host whose work takes longer than it should. */
  private async watch<T>(host: PooledHost, ms: number, work: Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.pool.overrun(host, true), ms);
    try {
      return await work;
    } finally {
      clearTimeout(timer);
      if (host.overrun) this.pool.overrun(host, false);
    }
  }

  private ensureLoaded(host: PooledHost, file: ModelFile): Promise<void> {
    if (host.has(file.sha256)) return Promise.resolve();
    return this.watch(host, LOAD_OVERRUN_MS, host.load(file, this.loadLimit));
  }

  private get loadLimit(): TimeLimit {
    return within(this.config.importDeadlineSeconds * 1000);
  }
}

function within(milliseconds: number): TimeLimit {
  return { milliseconds, error: () => new EngineDeadlineExceeded(milliseconds) };
}
