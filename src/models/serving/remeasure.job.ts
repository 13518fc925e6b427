import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import { ModelRuntime } from '../../runtime/model-runtime.port';
import { ModelBlobs } from '../../storage/blob-store.port';
import { localSource } from './local-source';
import { Measurements } from './measurements';
import { RegistryState } from '../registry/registry-state';
import type { VersionRecord } from '../registry/registry-records';

/** Measures again, one after another and in the background, what is in production and was never measured on a machine like this one. */
@Injectable()
export class RemeasureJob implements BeforeApplicationShutdown {
  private readonly logger = new Logger(RemeasureJob.name);
  private stopped = false;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly state: RegistryState,
    private readonly measurements: Measurements,
    private readonly runtime: ModelRuntime,
    private readonly blobs: ModelBlobs,
  ) {}

  /** Begins; never rejects. */
  start(): void {
    this.running = this.run();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async run(): Promise<void> {
    let measured = 0;
    for (const { production } of this.state.list()) {
      if (production === undefined || (await this.measurements.find(production.executable)) !== undefined) continue;
      if (this.stopped) return;
      // a version that cannot be loaded is told of elsewhere
      if (await this.measure(production).catch(() => false)) measured++;
    }
    if (measured > 0) this.logger.log('models measured again', { models: measured });
  }

  private async measure(record: VersionRecord): Promise<boolean> {
    const file = await localSource(this.blobs, record);
    try {
      const { measured } = await this.runtime.import(file.source);
      await this.measurements.keep(record.executable, measured);
      return true;
    } finally {
      await file.release();
    }
  }
}
