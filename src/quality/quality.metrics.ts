import { setImmediate as turn } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { getToken, InjectMetric, makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge } from 'prom-client';
import type { VersionRecord } from '../models/registry/registry-records';
import type { FeatureDrift } from './binned-window';
import { FeedbackWindows, type VersionFeedback } from './feedback-windows';
import { InputDrift } from './input-drift';
import { QUALITY_GAUGES, type QualityGauge, VersionSeries } from './version-series';

const FEEDBACK = 'model_feedback_total';
const GAUGES = Symbol('gauges of quality');
const KEYS = Object.keys(QUALITY_GAUGES) as QualityGauge[];
const LABELS = ['model', 'version'];
const SLICE_MS = 2;

/** What Prometheus is told of the quality of answers. */
export const QUALITY_METRICS = [
  makeCounterProvider({ name: FEEDBACK, help: 'Outcomes of predictions that callers told.', labelNames: LABELS }),
  ...Object.values(QUALITY_GAUGES).map(([name, help, ...label]) => makeGaugeProvider({ name, help, labelNames: [...LABELS, ...label] })),
  {
    provide: GAUGES,
    useFactory: (...gauges: readonly Gauge[]) => Object.fromEntries(KEYS.map((key, at) => [key, gauges[at]])),
    inject: KEYS.map((key) => getToken(QUALITY_GAUGES[key][0])),
  },
];

interface Told {
  readonly series: VersionSeries;
  readonly feedback?: VersionFeedback;
  readonly received: number;
  readonly drift: readonly FeatureDrift[];
}

/** Tells Prometheus of the quality of answers: figures are made when it asks, of versions of which something is new. */
@Injectable()
export class QualityMetrics {
  private readonly told = new Map<VersionRecord, Told>();
  private refreshing: Promise<void> | undefined;

  constructor(
    @InjectMetric(FEEDBACK) private readonly feedback: Counter,
    @Inject(GAUGES) private readonly gauges: Readonly<Record<QualityGauge, Gauge>>,
    private readonly windows: FeedbackWindows,
    private readonly drift: InputDrift,
  ) {
    for (const gauge of Object.values(gauges)) Object.assign(gauge, { collect: () => this.refresh() });
  }

  countFeedback({ model, version }: VersionRecord, items: number): void {
    this.feedback.inc({ model, version: String(version) }, items);
  }

  /** Nothing of a version is told any more. */
  forget(record: VersionRecord): void {
    this.told.get(record)?.series.remove();
    this.told.delete(record);
    this.feedback.remove({ model: record.model, version: String(record.version) });
  }

  /** Brings all gauges up to date, in slices; once for all who ask meanwhile. */
  private refresh(): Promise<void> {
    this.refreshing ??= this.refreshAll().finally(() => (this.refreshing = undefined));
    return this.refreshing;
  }

  private async refreshAll(): Promise<void> {
    const known = new Set([...this.windows.all(), ...this.drift.all()]);
    for (const record of this.told.keys()) if (!known.has(record)) this.forget(record); // it had to make room
    let startedAt = performance.now();
    for (const record of known) {
      this.show(record);
      if (performance.now() - startedAt < SLICE_MS) continue;
      await turn();
      startedAt = performance.now();
    }
  }

  /** It may have been deleted since the list was made: then nothing is known of it. */
  private show(record: VersionRecord): void {
    const feedback = this.windows.of(record);
    const drift = this.drift.of(record)?.drift() ?? NONE;
    if (feedback === undefined && drift.length === 0) return;
    let told = this.told.get(record);
    if (told === undefined) this.told.set(record, (told = { series: new VersionSeries(record, this.gauges), received: 0, drift: NONE }));
    const { received = 0 } = feedback ?? {};
    if (told.feedback === feedback && told.received === received && told.drift === drift) return;
    told.series.show(feedback?.window.items ?? 0, feedback?.window.figures(), drift);
    this.told.set(record, { series: told.series, received, drift, ...(feedback && { feedback }) });
  }
}

const NONE: readonly FeatureDrift[] = [];
