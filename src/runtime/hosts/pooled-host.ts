import { containerMemoryBytes } from '../container-memory';
import type { ModelFile } from '../model-runtime.port';
import type { HostProcess, TimeLimit } from './host-process';

const MIB = 2 ** 20;
/** What a host needs without any model, and what its allocator may keep of models that left; less where there is little for all. */
const SPARE_BYTES = Math.min(384 * MIB, containerMemoryBytes() / 4);
const UNLIMITED: TimeLimit = { milliseconds: 2 ** 31 - 1, error: () => new Error('never') };

/** A host of the pool: what is loaded in it, and whether it may be given work. */
export class PooledHost {
  private readonly loaded = new Map<string, ModelFile>();
  /** It does a piece of work. */
  busy = false;
  /** The work takes longer than it should: the host counts for none until it is done. */
  overrun = false;
  /** The work is to load a model. */
  loading = false;
  /** `performance.now()` of the end of the last load. */
  loadedAt = 0;
  /** It gets no more work, and ends when it has done what it does. */
  retiring = false;

  /** @param bounded whether its models are all proved to be bounded; else none of them is */
  constructor(
    readonly process: HostProcess,
    readonly bounded: boolean,
  ) {}

  get idle(): boolean {
    return !this.busy && !this.retiring && this.process.running;
  }

  get models(): number {
    return this.loaded.size;
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
      await this.process.ask({ do: 'load', path: file.path, sha256: file.sha256 }, limit);
    } catch (error) {
      this.loaded.delete(file.sha256);
      throw error;
    } finally {
      this.loading = false;
      this.loadedAt = performance.now();
    }
  }

  /** The host does it after what it does now. */
  async unload(sha256: string): Promise<void> {
    if (!this.loaded.delete(sha256)) return;
    const { rssBytes } = await this.process.ask({ do: 'unload', sha256 }, UNLIMITED);
    this.retiring ||= rssBytes > this.reasonableBytes;
  }

  /** The allocator of the engine gives little back: a host that takes far more than its models need makes room for a new one. */
  private get reasonableBytes(): number {
    const needed = [...this.loaded.values()].map(({ memoryBytes = Number.POSITIVE_INFINITY }) => memoryBytes);
    return SPARE_BYTES + 2 * needed.reduce((sum, bytes) => sum + bytes, 0);
  }
}
