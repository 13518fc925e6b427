import { Injectable } from '@nestjs/common';
import { InferenceConfig } from '../config/app-config';
import { TooManyCalls } from './inference.errors';

/** Counts the calls that wait or run, and turns away what is too much at once, before it costs anything. */
@Injectable()
export class Admission {
  private readonly byModel = new Map<string, number>();
  private inAll = 0;

  constructor(private readonly config: InferenceConfig) {}

  /** Does `work` if there is room for one more call of `model`. @throws TooManyCalls */
  async admit<T>(model: string, work: () => Promise<T>): Promise<T> {
    const { maxCalls, maxCallsPerModel } = this.config;
    const running = this.byModel.get(model) ?? 0;
    if (running >= maxCallsPerModel) throw new TooManyCalls(`of "${model}"`, maxCallsPerModel);
    if (this.inAll >= maxCalls) throw new TooManyCalls('in all', maxCalls);
    this.count(model, 1);
    try {
      return await work();
    } finally {
      this.count(model, -1);
    }
  }

  private count(model: string, change: 1 | -1): void {
    const running = (this.byModel.get(model) ?? 0) + change;
    this.inAll += change;
    if (running === 0) this.byModel.delete(model);
    else this.byModel.set(model, running);
  }
}
