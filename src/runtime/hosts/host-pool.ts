import { AsyncLocalStorage } from 'node:async_hooks';
import { Logger } from '@nestjs/common';
import type { ModelFile } from '../model-runtime.port';
import type { RuntimeMetrics } from '../runtime.metrics';
import type { HostLauncher } from './host-launcher';
import type { TimeLimit } from './host-process';
import { PooledHost } from './pooled-host';

/** How long a call waits for a host that has its model in memory, before another host loads it too, ms. */
export const PATIENCE_MS = 20;
/** How long spares stay after an overrun: what overran once will soon again, and to start a host takes as long as many runs, ms. */
const SPARE_MS = 2000;

/**
 * The engine hosts that run, at most `limit` of them; one whose work overruns does not count, and there are never more than twice as
 * many. No model has more than `limit` at work, so that the spares are for the others. Models that are not bounded never share a host with
 * those that are.
 */
export class HostPool {
  private readonly logger = new Logger(HostPool.name);
  private readonly hosts = new Set<PooledHost>();
  /** A host works for many: what becomes of it is told in nobody's context. */
  private readonly outside = AsyncLocalStorage.snapshot() as <T>(work: () => T) => T;
  private replacing = false;
  /** `performance.now()` at which work of a host overran last. */
  private overranAt = Number.NEGATIVE_INFINITY;
  private sparesEnd: NodeJS.Timeout | undefined;
  /** Hosts that were started. */
  starts = 0;
  /** Hosts that were killed as something took too long. */
  kills = 0;

  /**
   * @param loadLimit how long a host that takes over may load a model
   * @param onChange called where a host ended that was not told to, and where one has taken over
   */
  constructor(
    private readonly launcher: HostLauncher,
    private readonly limit: number,
    private readonly metrics: RuntimeMetrics | undefined,
    private readonly loadLimit: TimeLimit,
    private readonly onChange: () => void,
  ) {}

  /**
   * An idle host that has the model; else, where none has it or those that have it are slow, one that can load it.
   * @param since `performance.now()` from which on somebody waits
   */
  hostFor({ sha256, bounded = false }: ModelFile, since: number): PooledHost | undefined {
    if ((this.atWork.get(sha256) ?? 0) >= this.limit) return undefined;
    const holders = [...this.hosts].filter((host) => host.has(sha256) && !host.retiring && !host.overrun);
    const ready = holders.find(({ idle }) => idle);
    if (ready !== undefined) return ready;
    const waitsSince = Math.max(since, ...holders.map(({ loadedAt }) => loadedAt));
    const soon = performance.now() - waitsSince < PATIENCE_MS || holders.some(({ loading }) => loading);
    if (holders.length > 0 && soon) return undefined;
    const idle = [...this.hosts].filter((host) => host.idle && host.bounded === bounded);
    return idle.sort((a, b) => a.models - b.models)[0] ?? this.start(bounded);
  }

  /** How many hosts work for each model, those included whose work overruns. */
  get atWork(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { busy, worksFor } of this.hosts) if (busy && worksFor !== undefined) counts.set(worksFor, (counts.get(worksFor) ?? 0) + 1);
    return counts;
  }

  /** What all hosts take in memory, as they told last. */
  get rssBytes(): number {
    return [...this.hosts].reduce((sum, { rssBytes }) => sum + rssBytes, 0);
  }

  /** Work of a host takes longer than it should, or did and has ended. */
  overrun(host: PooledHost, overruns: boolean): void {
    host.overrun = overruns;
    this.overranAt = performance.now();
    if (overruns) this.onChange();
  }

  /** Frees the memory of a model in every host, after what runs there. */
  async unload(sha256: string): Promise<void> {
    await Promise.all([...this.hosts].map((host) => host.unload(sha256).finally(() => this.review(host))));
  }

  /** Ends a host that has nothing to do where it retires, or is one too many long after an overrun; has one replaced that outgrew. */
  review(host: PooledHost): void {
    if (!this.hosts.has(host)) return;
    if (host.outgrown && !host.retiring) this.replace(host);
    if (host.busy) return;
    if (host.retiring) void this.end(host);
    else if (this.counted.length > this.limit) this.spare(host);
  }

  /** Ends every host, whatever it does. */
  async endAll(): Promise<void> {
    clearTimeout(this.sparesEnd);
    await Promise.all([...this.hosts].map((host) => this.end(host)));
  }

  private get counted(): readonly PooledHost[] {
    return [...this.hosts].filter(({ overrun, outgrown, retiring }) => !overrun && !outgrown && !retiring);
  }

  /** Ends a host that is one too many, or looks at all of them again when it is time; the youngest goes first, as it has the fewest models. */
  private spare(host: PooledHost): void {
    const leftMs = this.overranAt + SPARE_MS - performance.now();
    if (leftMs <= 0) return void this.end(host);
    this.sparesEnd ??= setTimeout(() => {
      this.sparesEnd = undefined;
      for (const each of [...this.hosts].toReversed()) this.review(each);
    }, leftMs);
  }

  /** One at a time has its models loaded elsewhere before it goes, where there is room for both; else it goes as soon as it can. */
  private replace(host: PooledHost): void {
    const alone = host.models === 0 || !host.leavesRoom || this.hosts.size >= 2 * this.limit;
    if (host.full || (alone && !this.replacing)) this.recycle(host);
    else if (!this.replacing) void this.succeed(host);
  }

  private async succeed(host: PooledHost): Promise<void> {
    this.replacing = true;
    const successor = this.launch(host.bounded);
    successor.busy = true;
    try {
      for (const file of host.files) if (!successor.has(file.sha256)) await successor.load(file, this.loadLimit);
      successor.busy = false;
      if (this.hosts.has(host) && !host.retiring) this.recycle(host);
    } catch (error) {
      // the old one may be the only one that still can: a file may be damaged by now
      host.bear();
      if (this.hosts.has(successor)) this.logger.warn('engine host not replaced', { err: error });
      void this.end(successor);
    }
    this.replacing = false;
    for (const each of this.hosts) this.review(each);
    this.onChange();
  }

  /** It ends as soon as its call is answered. */
  private recycle(host: PooledHost): void {
    host.retiring = true;
    this.metrics?.countRecycle();
    this.outside(() => this.logger.log('engine host recycled', { rssBytes: host.rssBytes, models: host.models }));
  }

  /** @returns undefined where there are as many as there may be */
  private start(bounded: boolean): PooledHost | undefined {
    const { counted } = this;
    if (counted.length >= this.limit) {
      // a kind that has no host at all gets one of the other kind's
      if (counted.some((host) => host.bounded === bounded)) return undefined;
      const spare = counted.find(({ idle }) => idle);
      if (spare === undefined) return undefined;
      void this.end(spare);
    }
    return this.hosts.size >= 2 * this.limit ? undefined : this.launch(bounded);
  }

  private launch(bounded: boolean): PooledHost {
    return this.outside(() => {
      const host = new PooledHost(this.launcher.launch(), bounded, this.launcher.roomBytes);
      this.hosts.add(host);
      this.starts++;
      this.metrics?.countHosts(this.hosts.size);
      void host.process.ended.then((how) => this.ended(host, how));
      return host;
    });
  }

  private end(host: PooledHost): Promise<string> {
    host.retiring = true;
    this.hosts.delete(host);
    this.metrics?.countHosts(this.hosts.size);
    host.process.kill();
    return host.process.ended;
  }

  private ended(host: PooledHost, how: string): void {
    if (host.process.overran) this.kills++;
    if (!this.hosts.delete(host)) return; // it was told to
    this.metrics?.countHosts(this.hosts.size);
    this.metrics?.countEnd(how);
    this.logger.warn('engine host ended', { how, stderr: host.process.lastWords });
    this.onChange();
  }
}
