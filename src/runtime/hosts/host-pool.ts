import { Logger } from '@nestjs/common';
import type { ModelFile } from '../model-runtime.port';
import type { RuntimeMetrics } from '../runtime.metrics';
import type { HostLauncher } from './host-launcher';
import { PooledHost } from './pooled-host';

/** How long a call waits for a host that has its model in memory, before another host loads it too, ms. */
export const PATIENCE_MS = 20;

/**
 * The engine hosts that run, at most `limit` of them; one whose work overruns does not count, and there are never more than twice as
 * many. Models that are not bounded never share a host with those that are.
 */
export class HostPool {
  private readonly logger = new Logger(HostPool.name);
  private readonly hosts = new Set<PooledHost>();

  /** @param onEnd called where a host ended that was not told to */
  constructor(
    private readonly launcher: HostLauncher,
    private readonly limit: number,
    private readonly metrics: RuntimeMetrics | undefined,
    private readonly onEnd: () => void,
  ) {}

  /**
   * An idle host that has the model; else, where none has it or those that have it are slow, one that can load it.
   * @param since `performance.now()` from which on somebody waits
   */
  hostFor({ sha256, bounded = false }: ModelFile, since: number): PooledHost | undefined {
    const holders = [...this.hosts].filter((host) => host.has(sha256) && !host.retiring && !host.overrun);
    const ready = holders.find(({ idle }) => idle);
    if (ready !== undefined) return ready;
    const waitsSince = Math.max(since, ...holders.map(({ loadedAt }) => loadedAt));
    const soon = performance.now() - waitsSince < PATIENCE_MS || holders.some(({ loading }) => loading);
    if (holders.length > 0 && soon) return undefined;
    const idle = [...this.hosts].filter((host) => host.idle && host.bounded === bounded);
    return idle.sort((a, b) => a.models - b.models)[0] ?? this.start(bounded);
  }

  /** Frees the memory of a model in every host, after what runs there. */
  async unload(sha256: string): Promise<void> {
    await Promise.all([...this.hosts].map((host) => host.unload(sha256).finally(() => this.retireIfDue(host))));
  }

  /** Ends a host that has nothing to do where it takes too much memory, or where it is one too many since an overrun is over. */
  retireIfDue(host: PooledHost): void {
    if (host.busy || !this.hosts.has(host)) return;
    if (host.retiring || this.counted.length > this.limit) void this.end(host);
  }

  /** Ends every host, whatever it does. */
  async endAll(): Promise<void> {
    await Promise.all([...this.hosts].map((host) => this.end(host)));
  }

  private get counted(): readonly PooledHost[] {
    return [...this.hosts].filter(({ overrun }) => !overrun);
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
    if (this.hosts.size >= 2 * this.limit) return undefined;
    const host = new PooledHost(this.launcher.launch(), bounded);
    this.hosts.add(host);
    this.metrics?.countHosts(this.hosts.size);
    void host.process.ended.then((how) => this.ended(host, how));
    return host;
  }

  private end(host: PooledHost): Promise<string> {
    host.retiring = true;
    this.hosts.delete(host);
    this.metrics?.countHosts(this.hosts.size);
    host.process.kill();
    return host.process.ended;
  }

  private ended(host: PooledHost, how: string): void {
    if (!this.hosts.delete(host)) return; // it was told to
    this.metrics?.countHosts(this.hosts.size);
    this.metrics?.countEnd(how);
    this.logger.warn('engine host ended', { how, stderr: host.process.lastWords });
    this.onEnd();
  }
}
