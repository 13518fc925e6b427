import { randomUUID } from 'node:crypto';
import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { StorageConfig } from '../../config/app-config';
import { CorrelationContext } from '../../logging/correlation-context';
import { StorageKeeper } from '../../storage/storage-keeper.service';
import { BlobCollector } from './blob-collector';
import { BlobScrub } from './blob-scrub';

const TICK_MS = 600_000;
const HOUR_MS = 3_600_000;
const TICKS_A_DAY = 86_400_000 / TICK_MS;

/** When the registry looks after itself, and nothing else: never twice at once, never cut off by a shutdown, never silent about failure. */
@Injectable()
export class UpkeepJob implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(UpkeepJob.name);
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly config: StorageConfig,
    private readonly keeper: StorageKeeper,
    private readonly collector: BlobCollector,
    private readonly scrub: BlobScrub,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.tick(), TICK_MS).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** A tick that finds one running joins it. Never rejects: the outcome is in the log. */
  tick(): Promise<void> {
    this.running ??= CorrelationContext.run({ correlationId: `upkeep-${randomUUID()}` }, () => this.attempt()).finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async attempt(): Promise<void> {
    await this.try('sweep', () => this.keeper.sweep());
    const { uploadTtlHours, undeleteDays, scrubDays } = this.config;
    // what is lost between its bytes and its event stays as long as an unfinished upload
    const limits = { minAgeMs: uploadTtlHours * HOUR_MS, undeleteMs: undeleteDays * 24 * HOUR_MS };
    await this.try('collect', () => this.collector.collect('upkeep', limits));
    if (scrubDays > 0) await this.try('scrub', () => this.scrub.slice(1 / (scrubDays * TICKS_A_DAY)));
  }

  private async try(task: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.logger.error('upkeep failed', { task, err: error });
    }
  }
}
