import { Injectable, Logger } from '@nestjs/common';
import { StorageConfig } from '../config/app-config';
import { DurableFiles } from './durable-files';
import { volumeOf } from './free-space';
import { type SelfTest, testFileSystem } from './self-test';
import { sweepStaging } from './staging-sweep';
import { StorageMetrics } from './storage.metrics';

const HOUR_MS = 3_600_000;

/** Looks after the folder of the registry: whether it can be trusted, what was left in it, how full it is. */
@Injectable()
export class StorageKeeper {
  private readonly logger = new Logger(StorageKeeper.name);
  private result: SelfTest | undefined;
  private looking: Promise<void> | undefined;

  constructor(
    private readonly config: StorageConfig,
    private readonly metrics: StorageMetrics,
  ) {
    for (const gauge of [metrics.freeBytes, metrics.capacityBytes]) Object.assign(gauge, { collect: () => this.lookAgain() });
  }

  /** Before anything is written. A file system that fails the test can still be read: the registry starts, and takes no changes. */
  async prepare(): Promise<void> {
    // first, as it makes room on a volume that lost uploads have filled; a volume that lets nothing be taken away is found next
    await this.takeAway().catch((error: unknown) => this.logger.error('staging not swept', { err: error }));
    await this.test();
    await this.measure();
  }

  /** What the file system does and what it lacks; `undefined` before the start. */
  get selfTest(): SelfTest | undefined {
    return this.result;
  }

  /**
   * Takes away what lost uploads left, and looks how full the volume is. A file system that failed the test is tested again: it may
   * have been full.
   */
  async sweep(): Promise<void> {
    await this.takeAway();
    if (this.result?.safe !== true) await this.test();
    await this.measure();
  }

  private async test(): Promise<void> {
    this.result = await testFileSystem(new DurableFiles(this.config.modelsDir));
    this.logger.log('file system tested', this.result);
    if (!this.result.safe) this.logger.error('the registry takes no changes on this file system', this.result);
  }

  private async takeAway(): Promise<void> {
    const { files, bytes } = await sweepStaging(this.config.modelsDir, this.config.uploadTtlHours * HOUR_MS);
    if (files > 0) this.logger.log('staging swept', { files, bytes });
    this.metrics.sweptBytes.inc(bytes);
  }

  private async measure(): Promise<void> {
    const { freeBytes, totalBytes } = await volumeOf(this.config.modelsDir);
    this.metrics.freeBytes.set(freeBytes);
    this.metrics.capacityBytes.set(totalBytes);
  }

  /** Who reads the figures is told the last look and starts the next: a volume that hangs keeps nobody from the other figures. */
  private lookAgain(): void {
    if (this.result === undefined) return; // not before the start
    this.looking ??= this.measure()
      .catch((error: NodeJS.ErrnoException) => this.metrics.countFailure(error.code ?? error.name))
      .finally(() => (this.looking = undefined));
  }
}
