import { Injectable } from '@nestjs/common';
import { InjectMetric, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import type { Histogram } from 'prom-client';

const NAME = 'http_request_duration_seconds';

/** The histogram of every answered request. */
export const HTTP_DURATION = makeHistogramProvider({
  name: NAME,
  help: 'Seconds from the first byte of a request to the end of its answer, by method, route template and status.',
  labelNames: ['method', 'route', 'status'],
  buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
});

/** Counts what the pipeline answered, errors included. */
@Injectable()
export class HttpMetrics {
  private readonly series = new Map<string, Histogram.Internal<string>>();

  constructor(@InjectMetric(NAME) private readonly duration: Histogram) {}

  /** @param route the template, never the path: a path has as many values as there are callers */
  observe(method: string, route: string, status: number, seconds: number): void {
    const key = `${method} ${route} ${status}`;
    let series = this.series.get(key);
    if (series === undefined) this.series.set(key, (series = this.duration.labels({ method, route, status })));
    series.observe(seconds);
  }
}
