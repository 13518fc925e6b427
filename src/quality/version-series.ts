import type { Gauge } from 'prom-client';
import type { VersionRecord } from '../models/registry/registry-records';
import type { ClassificationFigures } from './class-window';
import type { RegressionFigures } from './error-window';
import type { FeatureDrift } from './binned-window';

/** The most frequent classes, and the features that went farthest, that Prometheus is told of, of a version. */
export const MOST_CLASSES_TOLD = 20;

/** As MOST_CLASSES_TOLD. */
export const MOST_FEATURES_TOLD = 32;

/** Name, meaning and labels besides model and version of each gauge. */
export const QUALITY_GAUGES = {
  window: ['model_feedback_window_items', 'Outcomes that the figures of a version are made from.'],
  accuracy: ['model_accuracy_ratio', 'Share of predictions of a classifier that came true, of the last outcomes.'],
  macroPrecision: ['model_macro_precision_ratio', 'Mean of the precisions of all classes, of the last outcomes.'],
  macroRecall: ['model_macro_recall_ratio', 'Mean of the recalls of all classes, of the last outcomes.'],
  precision: ['model_precision_ratio', 'Of what was said to be a class the share that was, of the last outcomes.', 'class'],
  recall: ['model_recall_ratio', 'Of what was a class the share that was said to be, of the last outcomes.', 'class'],
  mae: ['model_mae', 'Mean absolute error of a regressor, of the last outcomes; in units of what it predicts.'],
  rmse: ['model_rmse', 'Root of the mean squared error of a regressor, of the last outcomes; in units of what it predicts.'],
  direction: ['model_directional_accuracy_ratio', 'Share of predictions of a regressor whose direction came true, of the last outcomes.'],
  drift: ['model_input_drift_psi', 'Population stability index of a feature of the last inputs against the baseline.', 'feature'],
} as const satisfies Record<string, readonly [name: string, help: string, label?: string]>;

/** One of the gauges. */
export type QualityGauge = keyof typeof QUALITY_GAUGES;

/** A series that Prometheus is told of. */
interface ToldSeries {
  readonly gauge: QualityGauge;
  readonly labels: Readonly<Record<string, string>>;
  /** When it was told last. */
  round: number;
  value: number;
}

type Gauges = Readonly<Record<QualityGauge, Gauge>>;

/** What Prometheus is told of one version: all that was told before and is not any more is taken away. */
export class VersionSeries {
  private readonly labels: { readonly model: string; readonly version: string };
  private readonly told = new Map<string, ToldSeries>();
  private round = 0;

  constructor(
    { model, version }: VersionRecord,
    private readonly gauges: Gauges,
  ) {
    this.labels = { model, version: String(version) };
  }

  show(items: number, figures: ClassificationFigures | RegressionFigures | undefined, drift: readonly FeatureDrift[]): void {
    this.round++;
    if (items > 0) this.set('window', items);
    if (figures !== undefined) {
      if ('mae' in figures) this.showErrors(figures);
      else this.showClasses(figures);
    }
    for (const { feature, psi } of drift.slice(0, MOST_FEATURES_TOLD)) if (psi !== null) this.set('drift', psi, { feature });
    for (const [key, { round }] of this.told) if (round !== this.round) this.take(key);
  }

  remove(): void {
    for (const key of this.told.keys()) this.take(key);
  }

  private showErrors({ mae, rmse, directionalAccuracy }: RegressionFigures): void {
    this.set('mae', mae);
    this.set('rmse', rmse);
    this.set('direction', directionalAccuracy);
  }

  private showClasses({ accuracy, precision, recall, classes }: ClassificationFigures): void {
    this.set('accuracy', accuracy);
    this.set('macroPrecision', precision);
    this.set('macroRecall', recall);
    for (const each of classes.slice(0, MOST_CLASSES_TOLD)) {
      const label = { class: String(each.label) };
      if (each.precision !== null) this.set('precision', each.precision, label);
      if (each.recall !== null) this.set('recall', each.recall, label);
    }
  }

  /** What is told already is told again only where it is another: of a thousand versions that is most of the work. */
  private set(gauge: QualityGauge, value: number, more?: Readonly<Record<string, string>>): void {
    const key = more === undefined ? gauge : `${gauge} ${Object.values(more).join()}`;
    let series = this.told.get(key);
    if (series === undefined) this.told.set(key, (series = { gauge, labels: { ...this.labels, ...more }, round: 0, value: Number.NaN }));
    series.round = this.round;
    if (series.value === value) return;
    series.value = value;
    this.gauges[gauge].set(series.labels, value);
  }

  private take(key: string): void {
    const series = this.told.get(key);
    if (series !== undefined) this.gauges[series.gauge].remove(series.labels);
    this.told.delete(key);
  }
}
