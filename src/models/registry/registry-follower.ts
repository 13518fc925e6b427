import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { ModelCatalog } from '../serving/model-catalog';
import { RegistryJournal } from './registry-journal';

const EVERY_MS = 1000;

/** Follows what other processes write to the same folder: their promotions are served here a moment later. */
@Injectable()
export class RegistryFollower implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(RegistryFollower.name);
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private failing = false;
  /** The last event that the catalog knows of. */
  private followed: number | undefined;

  constructor(
    private readonly journal: RegistryJournal,
    private readonly catalog: ModelCatalog,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.tick(), EVERY_MS).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** One that runs is joined. Never rejects; a failure is logged once until it is over. */
  tick(): Promise<void> {
    this.running ??= this.follow().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async follow(): Promise<void> {
    try {
      const last = await this.journal.readOn();
      // not "was there anything to read": a commit of this process may have read it before
      if (last !== this.followed) await this.catalog.loadProduction();
      this.followed = last;
      this.failing = false;
    } catch (error) {
      if (!this.failing) this.logger.error('the log cannot be read on', { err: error });
      this.failing = true;
    }
  }
}
