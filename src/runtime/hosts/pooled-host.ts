import { containerMemoryBytes } from '../container-memory';
import type { EngineAnswer, ModelFile } from '../model-runtime.port';
import type { HostProcess, TimeLimit } from './host-process';
import { type HostRequest, sourceOf } from './host-protocol';

const MIB = 2 ** 20;
/** What Node and the engine's library take in memory before there is any model, at most. */
const PROCESS_BYTES = 128 * MIB;
/** What a host needs without any model, and what its allocator may keep of models that left; less where there is little for all. */
const SPARE_BYTES = Math.min(384 * MIB, containerMemoryBytes() / 4);
/** A host that runs made grow within this time would be back there as soon: another one would gain little, ms. */
const YOUNG_MS = 10_000;
const UNLIMITED: TimeLimit = { milliseconds: 2 ** 31 - 1, error: () => new Error('never') };

/** A host of the pool: what is loaded in it, and whether it may be given work. */
export class PooledHost {
  private readonly loaded = new Map<string, ModelFile>();
  /** It does a piece of work. */
  busy = false;
  /** The model that the work is for. */
  worksFor: string | undefined;
  /** The work takes longer than it should: the host counts for none until it is done. */
  overrun = false;
  /** The work is to load a model. */
  loading = false;
  /** `performance.now()` of the end of the last load. */
  loadedAt = 0;
  /** It takes too much memory: it works on until another one can take over. */
  outgrown = false;
  /** It gets no more work, and ends when it has done what it does. */
  retiring = false;
  /** What it took when it told so last. */
  rssBytes = 0;
  /** What it would take, had no run made it grow. */
  private settledBytes = 0;
  private readonly startedAt = performance.now();

  /**
   * @param bounded whether its models are all proved to be bounded; else none of them is
   * @param roomBytes what its models may take, by its limit
   */
  constructor(
    readonly process: HostProcess,
    readonly bounded: boolean,
    private readonly roomBytes: number,
  ) {}

  get idle(): boolean {
    return !this.busy && !this.retiring && this.process.running;
  }

  get models(): number {
    return this.loaded.size;
  }

  /** What it has in memory, or loads just now; while it is walked through, models may come and go. */
  get files(): Iterable<ModelFile> {
    return this.loaded.values();
  }

  /** Whether its next run may find no memory. */
  get full(): boolean {
    return this.rssBytes > PROCESS_BYTES + this.roomBytes * 0.75;
  }

  /** Whether there is memory for it and for another one with the same models. */
  get leavesRoom(): boolean {
    return this.rssBytes + this.settledBytes <= containerMemoryBytes() / 2;
  }

  /** Whether it has a model in memory, or loads it just now. */
  has(sha256: string): boolean {
    return this.loaded.has(sha256);
  }

  /** @throws as HostProcess.ask */
  async load(file: ModelFile, limit: TimeLimit): Promise<void> {
    this.loaded.set(file.sha256, file);
    this.loading = true;
    try {
      const { rssBytes } = await this.process.ask({ do: 'load', ...sourceOf(file) }, limit);
      this.settledBytes += Math.max(0, rssBytes - this.rssBytes);
      this.rssBytes = rssBytes;
    } catch (error) {
      this.loaded.delete(file.sha256);
      throw error;
    } finally {
      this.loading = false;
      this.loadedAt = performance.now();
    }
  }

  /** @throws as HostProcess.ask */
  async run(request: Extract<HostRequest, { do: 'run' }>, limit: TimeLimit): Promise<EngineAnswer> {
    const { rssBytes, ...answer } = await this.process.ask(request, limit);
    if (rssBytes !== undefined) this.weigh(rssBytes);
    return answer;
  }

  /** The host does it after what it does now. */
  async unload(sha256: string): Promise<void> {
    if (!this.loaded.delete(sha256)) return;
    const { rssBytes } = await this.process.ask({ do: 'unload', sha256 }, UNLIMITED);
    this.rssBytes = rssBytes;
    this.settledBytes = Math.min(this.settledBytes, rssBytes);
    this.outgrown ||= rssBytes > this.reasonableBytes;
  }

  /** Nobody can take over: it works on, and is looked at again when it has grown as much again. */
  bear(): void {
    this.outgrown = false;
    this.settledBytes = this.rssBytes;
  }

  /** Runs made it take so much. */
  private weigh(rssBytes: number): void {
    this.rssBytes = rssBytes;
    // where it did not grow, another one would begin with as much
    const slack = Math.min(SPARE_BYTES / 2, this.roomBytes / 4);
    const young = performance.now() - this.startedAt < YOUNG_MS;
    const mark = young ? this.mostBytes : Math.min(this.reasonableBytes, this.mostBytes);
    this.outgrown ||= rssBytes > Math.max(mark, this.settledBytes + slack);
  }

  /** The allocator of the engine gives little back: a host that takes far more than its models need makes room for a new one. */
  private get reasonableBytes(): number {
    const needed = [...this.loaded.values()].map(({ memoryBytes = Number.POSITIVE_INFINITY }) => memoryBytes);
    return SPARE_BYTES + 2 * needed.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Well below the limit at which runs fail, whoever knows what the models need. */
  private get mostBytes(): number {
    return PROCESS_BYTES + this.roomBytes / 2;
  }
}
