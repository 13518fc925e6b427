import { Gauge, Registry } from 'prom-client';
import type { VersionRecord } from '../models/registry/registry-records';
import { ClassWindow } from './class-window';
import { MOST_CLASSES_TOLD, MOST_FEATURES_TOLD, QUALITY_GAUGES, type QualityGauge, VersionSeries } from './version-series';

describe(VersionSeries, () => {
  const registry = new Registry();
  const gauges = Object.fromEntries(
    Object.entries(QUALITY_GAUGES).map(([key, [name, help, ...label]]) => [
      key,
      new Gauge({ name, help, labelNames: ['model', 'version', ...label], registers: [registry] }),
    ]),
  ) as unknown as Readonly<Record<QualityGauge, Gauge>>;
  const told = async (): Promise<readonly string[]> =>
    (await registry.metrics())
      .split('\n')
      .filter((line) => line.startsWith('model_'))
      .sort();
  let series: VersionSeries;
  beforeEach(() => {
    registry.resetMetrics();
    series = new VersionSeries({ model: 'm', version: 2 } as VersionRecord, gauges);
  });

  it('tells at most 20 classes and 32 features', async () => {
    const window = new ClassWindow(100);
    for (let at = 0; at < 100; at++) window.add(`c${at}`, `c${at}`);
    const drift = Array.from({ length: 100 }, (_, at) => ({ feature: `f${at}`, psi: 1 / (at + 1) }));
    series.show(100, window.figures(), drift);
    expect(await told()).toHaveLength(4 + 2 * MOST_CLASSES_TOLD + MOST_FEATURES_TOLD);
  });

  it('tells of what is new, and takes away what is not true any more', async () => {
    series.show(1, { mae: 1, rmse: 2, directionalAccuracy: 0.5 }, [{ feature: 'a', psi: 0.1 }, { feature: 'b', psi: null }]); // prettier-ignore
    series.show(1, { mae: 3, rmse: 2, directionalAccuracy: 0.5 }, [{ feature: 'c', psi: 0.3 }]);
    const labels = 'model="m",version="2"';
    expect(await told()).toEqual([
      `model_directional_accuracy_ratio{${labels}} 0.5`,
      `model_feedback_window_items{${labels}} 1`,
      `model_input_drift_psi{${labels},feature="c"} 0.3`,
      `model_mae{${labels}} 3`,
      `model_rmse{${labels}} 2`,
    ]);
    series.show(0, undefined, []);
    expect(await told()).toEqual([]);
  });

  it('tells nothing more once it is removed', async () => {
    series.show(1, { mae: 1, rmse: 2, directionalAccuracy: 0.5 }, []);
    series.remove();
    expect(await told()).toEqual([]);
  });
});
