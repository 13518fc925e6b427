import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge } from 'prom-client';

const HOSTS = 'engine_hosts';
const ENDS = 'engine_host_ends_total';
const RETRIES = 'engine_retries_total';
const RECYCLES = 'engine_recycles_total';
const DEMOTIONS = 'engine_inline_demotions_total';

/** What Prometheus is told of the engine room. */
export const RUNTIME_METRICS = [
  makeGaugeProvider({ name: HOSTS, help: 'Engine processes that run.' }),
  makeCounterProvider({
    name: ENDS,
    help: 'Engine processes that ended without being told to, by signal or exit code.',
    labelNames: ['how'],
  }),
  makeCounterProvider({ name: RETRIES, help: 'Runs that were done again because their engine process ended.' }),
  makeCounterProvider({ name: RECYCLES, help: 'Engine processes that had to go because of the memory that they took.' }),
  makeCounterProvider({
    name: DEMOTIONS,
    help: 'Models that took too long in the server’s own process, and run in engine processes since.',
  }),
];

/** The figures of the engine room. */
@Injectable()
export class RuntimeMetrics {
  constructor(
    @InjectMetric(HOSTS) private readonly hosts: Gauge,
    @InjectMetric(ENDS) private readonly ends: Counter,
    @InjectMetric(RETRIES) private readonly retries: Counter,
    @InjectMetric(RECYCLES) private readonly recycles: Counter,
    @InjectMetric(DEMOTIONS) private readonly demotions: Counter,
  ) {}

  countHosts(running: number): void {
    this.hosts.set(running);
  }

  countEnd(how: string): void {
    this.ends.inc({ how });
  }

  countRetry(): void {
    this.retries.inc();
  }

  countRecycle(): void {
    this.recycles.inc();
  }

  countDemotion(): void {
    this.demotions.inc();
  }
}
