import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { ModelCatalog } from '../serving/model-catalog';
import { RegistryJournal } from './registry-journal';
import { RegistryState } from './registry-state';

const EVERY_MS = 1000;

/** Follows what other processes write to the same folder: their promotions are served here a moment later. */
@Injectable()
export class RegistryFollower implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(RegistryFollower.name);
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private failing = false;
  /** Up to this event the catalog says what the registry says. */
  private settledAt = 0;

  constructor(
    private readonly journal: RegistryJournal,
    private readonly catalog: ModelCatalog,
    private readonly state: RegistryState,
  ) {}

  onApplicationBootstrap(): void {
    this.settledAt = this.state.position.seq; // what is in production by then is loaded by the start
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
      const seq = await this.journal.readOn();
      // not only what was read just now: a change of this process reads on as well, before it decides
      if (seq !== this.settledAt) await this.catalog.loadProduction();
      this.settledAt = seq;
      this.failing = false;
    } catch (error) {
      if (!this.failing) this.logger.error('the log cannot be read on', { err: error });
      this.failing = true;
    }
  }
}
