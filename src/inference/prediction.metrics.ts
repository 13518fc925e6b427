import { Injectable } from '@nestjs/common';
import type { Distribution } from '../metrics/distribution';
import { alone, by, Exposition, type Read, type Series } from '../metrics/exposition';
import { RegistryState } from '../models/registry/registry-state';
import { Admission } from './admission';
import { CallStatistics, type VersionFigures } from './call-statistics';
import { Coalescer } from './coalescer';

/** Where a call's time was over, by the code that its caller is told. */
const DEADLINES = [
  ['queue', 'CALL_DEADLINE_EXCEEDED'],
  ['engine', 'ENGINE_DEADLINE_EXCEEDED'],
] as const;

/** What Prometheus is told of predictions: those who count them keep plain numbers. */
@Injectable()
export class PredictionMetrics {
  constructor(
    private readonly exposition: Exposition,
    private readonly statistics: CallStatistics,
    private readonly state: RegistryState,
    private readonly admission: Admission,
    private readonly coalescer: Coalescer,
  ) {
    this.tellAnswers();
    this.tellErrors();
    this.tellQueue();
  }

  private tellAnswers(): void {
    const { stages, batchRows } = this.statistics;
    const duration = 'Seconds from the first byte of a request to its answer, of predictions that were answered, by model and version.';
    this.histogram('prediction_duration_seconds', duration, () =>
      this.byVersion(({ seconds }) => (seconds.count > 0 ? seconds : undefined)),
    );
    this.histogram(
      'prediction_stage_duration_seconds',
      'Seconds of a stage of an answered prediction.',
      () =>
      by('stage', Object.entries(stages).filter(([, { count }]) => count > 0)), // prettier-ignore
    );
    this.histogram('prediction_batch_rows', 'Rows of a run of the engine.', () => alone(batchRows));
  }

  private tellErrors(): void {
    const { errors } = this.statistics;
    const { refusals } = this.admission;
    this.counter('prediction_failures_total', 'Predictions that had found their version and were not answered.', () =>
      this.byVersion(({ fail }) => (fail.count > 0 ? fail.count : undefined)),
    );
    this.counter('prediction_errors_total', 'Predictions that were not answered, by code.', () => by('code', errors));
    this.counter('prediction_refusals_total', 'Predictions for which there was no room, by reason.', () => by('reason', refusals));
    this.counter(
      'prediction_deadline_misses_total',
      'Predictions whose time was over, by where they were then.',
      () =>
      by('stage', DEADLINES.map(([stage, code]) => [stage, errors.of(code)] as const).filter(([, count]) => count > 0)), // prettier-ignore
    );
  }

  private tellQueue(): void {
    const { coalescer } = this;
    const { load } = this.admission;
    this.gauge('prediction_queue_calls', 'Calls that wait for an engine.', () => coalescer.waiting);
    this.gauge('prediction_queue_oldest_seconds', 'How long the oldest of them has waited.', () => secondsSince(coalescer.oldestAt));
    this.gauge('prediction_calls', 'Calls that wait or run.', () => load.calls);
    this.gauge('prediction_calls_limit', 'How many may.', () => load.limits.calls);
    this.gauge('prediction_input_bytes', 'Bytes of inputs of calls that wait or run.', () => load.bytes);
    this.gauge('prediction_input_limit_bytes', 'How many there may be.', () => load.limits.bytes);
  }

  /** Only of versions that there are: what was deleted since the last time goes here. */
  private *byVersion<Value>(read: (figures: VersionFigures) => Value | undefined): Iterable<Series<Value>> {
    for (const [record, figures] of this.statistics.all) {
      const { model, version } = record;
      const value = read(figures);
      if (this.state.find(model)?.versions.get(version) !== record) this.statistics.forget(record);
      else if (value !== undefined) yield [{ model, version: String(version) }, value];
    }
  }

  private histogram(name: string, help: string, read: Read<Distribution>): void {
    this.exposition.addHistogram({ name, help }, read);
  }

  private counter(name: string, help: string, read: Read<number>): void {
    this.exposition.addCounter({ name, help }, read);
  }

  private gauge(name: string, help: string, read: () => number): void {
    this.exposition.addGauge({ name, help }, () => alone(read()));
  }
}

/** @param at `performance.now()`, or infinite: never */
function secondsSince(at: number): number {
  return Number.isFinite(at) ? (performance.now() - at) / 1000 : 0;
}
