import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { ModelsConfig } from '../../config/app-config';
import { type Example, FirstStart } from '../upload/first-start';
import { ModelCatalog } from './model-catalog';
import { RemeasureJob } from './remeasure.job';

/** Loads what is in production while the port is already open, so that probes are answered from the first moment on. */
@Injectable()
export class BringUp implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(BringUp.name);
  private done = false;
  /** What a first start published; settles when everything that can be loaded is in service. Never rejects. */
  finished: Promise<Example | undefined> = Promise.resolve(undefined);

  constructor(
    private readonly catalog: ModelCatalog,
    private readonly firstStart: FirstStart,
    private readonly config: ModelsConfig,
    private readonly remeasure: RemeasureJob,
  ) {}

  onApplicationBootstrap(): void {
    this.finished = this.run();
  }

  /** A stop that comes early waits until what was begun is whole. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.finished;
  }

  /** Whether loading has ended, and every required model is in service. */
  get complete(): boolean {
    return this.done && this.missing.length === 0;
  }

  /** Required models that are not in service. */
  get missing(): readonly string[] {
    const { serving } = this.catalog;
    return this.config.required.filter((name) => !serving.includes(name));
  }

  private async run(): Promise<Example | undefined> {
    const startedAt = performance.now();
    try {
      await this.catalog.loadProduction();
      return await this.firstStart.welcome();
    } catch (error) {
      this.logger.error('the example could not be published', { err: error });
      return undefined;
    } finally {
      this.done = true;
      this.remeasure.start();
      this.logger.log('models in service', { models: this.catalog.serving.length, ms: Math.round(performance.now() - startedAt) });
    }
  }
}
