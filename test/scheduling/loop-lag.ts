import { monitorEventLoopDelay } from 'node:perf_hooks';

/** How late this process was, since: client and server of a test share one event loop, and the machine with other tests. */
export class LoopLag {
  private readonly histogram = monitorEventLoopDelay({ resolution: 5 });

  constructor() {
    this.histogram.enable();
  }

  /** Milliseconds that the latest turn was late. */
  get worstMs(): number {
    return this.percentileMs(100);
  }

  percentileMs(percent: number): number {
    this.histogram.disable();
    return this.histogram.percentile(percent) / 1e6;
  }
}
