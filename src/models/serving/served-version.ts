import type { EngineAnswer, LoadedModel, Measured, NextRun } from '../../runtime/model-runtime.port';
import type { VersionRecord } from '../registry/registry-records';
import { batchRows } from './batch-rows';
import type { LocalSource } from './local-source';

/** A version in memory. It may be retired while calls still hold it: they are answered, and its memory is freed after the last. */
export class ServedVersion {
  private running = 0;
  private retired = false;
  /** `performance.now()` of the last call. */
  usedAt = performance.now();

  constructor(
    readonly record: VersionRecord,
    private readonly model: LoadedModel,
    private readonly file: Pick<LocalSource, 'release'>,
    private readonly measured: () => Measured | undefined,
  ) {}

  /** How many rows one run is best made of, where calls may be put together; 1: each call runs by itself. */
  get batchRows(): number {
    return batchRows(this.record.manifest.metadata, this.measured());
  }

  /** Whether two runs on the same inputs are known to give the same bits: only what does may be kept. */
  get repeatable(): boolean {
    return this.measured()?.repeatable === true;
  }

  /** Whether a call runs on it. */
  get busy(): boolean {
    return this.running > 0;
  }

  /** @throws as LoadedModel.run */
  async run(next: NextRun): Promise<EngineAnswer> {
    this.running++;
    this.usedAt = performance.now();
    try {
      return await this.model.run(next);
    } finally {
      this.running--;
      // not awaited: the answer need not wait until the memory of an old version is free
      if (this.retired && this.running === 0) void this.free();
    }
  }

  /** Takes the version out of memory as soon as no call runs on it. A call that still comes is answered all the same. */
  async retire(): Promise<void> {
    this.retired = true;
    if (this.running === 0) await this.free();
  }

  private async free(): Promise<void> {
    await this.model.unload().catch(() => {}); // a host that is gone has no memory to free
    await this.file.release();
  }
}
