import { Injectable, Logger } from '@nestjs/common';
import { StorageConfig } from '../config/app-config';
import { DurableFiles } from './durable-files';
import { FreeSpace } from './free-space';
import { type SelfTest, testFileSystem } from './self-test';
import { sweepStaging } from './staging-sweep';
import { StorageMetrics } from './storage.metrics';

const HOUR_MS = 3_600_000;

/** Looks after the folder of the registry: whether it can be trusted, what was left in it, how full it is. */
@Injectable()
export class StorageKeeper {
  private readonly logger = new Logger(StorageKeeper.name);
  private result: SelfTest | undefined;

  constructor(
    private readonly config: StorageConfig,
    private readonly metrics: StorageMetrics,
  ) {}

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
    const { freeBytes } = await new FreeSpace(this.config.modelsDir, 0).volume();
    this.metrics.freeBytes.set(freeBytes);
  }
}
