import { Injectable } from '@nestjs/common';
import { alone, by, Exposition, type Series } from '../../metrics/exposition';
import { STAGES } from '../registry/registry-event';
import type { VersionRecord } from '../registry/registry-records';
import { RegistryState } from '../registry/registry-state';
import { ModelCatalog } from './model-catalog';
import { ModelResidency } from './model-residency';

/** What a call to a version would meet. */
const STATES = ['loaded', 'loading', 'unloaded', 'unavailable'] as const;
type State = (typeof STATES)[number];

/** What Prometheus is told of the versions and of the memory that they take. */
@Injectable()
export class ServingMetrics {
  constructor(
    exposition: Exposition,
    private readonly state: RegistryState,
    private readonly catalog: ModelCatalog,
    private readonly residency: ModelResidency,
  ) {
    const loading = 'Seconds that it took to bring a version into memory and warm it up.';
    const memory = 'Bytes that a version in memory takes, as measured at its import.';
    exposition.addGauge({ name: 'model_versions', help: 'Versions by stage and by what a call would meet.' }, () => this.versions());
    exposition.addHistogram({ name: 'model_load_duration_seconds', help: loading }, () => alone(residency.loads));
    exposition.addCounter({ name: 'model_load_failures_total', help: 'Versions that could not be brought into memory.' }, () =>
      by('code', residency.failures),
    );
    exposition.addCounter({ name: 'model_evictions_total', help: 'Versions that made room for others.' }, () => alone(residency.evictions));
    exposition.addGauge({ name: 'model_memory_bytes', help: memory }, () => this.memory());
    exposition.addGauge({ name: 'model_memory_limit_bytes', help: 'Bytes that all of them may take.' }, () => alone(residency.limitBytes));
  }

  /** All combinations, those that no version is in too. */
  private *versions(): Iterable<Series<number> | undefined> {
    const counts = new Map(STAGES.map((stage) => [stage, { loaded: 0, loading: 0, unloaded: 0, unavailable: 0 }]));
    for (const { versions } of this.state.list()) {
      for (const record of versions.values()) (counts.get(record.stage) as Record<State, number>)[this.stateOf(record)]++;
      yield undefined;
    }
    for (const [stage, of] of counts) for (const state of STATES) yield [{ stage, state }, of[state]];
  }

  private *memory(): Iterable<Series<number>> {
    for (const [{ model, version }, bytes] of this.residency.inMemory()) yield [{ model, version: String(version) }, bytes];
  }

  private stateOf(record: VersionRecord): State {
    const { state } = this.catalog.stateOf(record);
    if (state === 'READY') return this.residency.isLoaded(record) ? 'loaded' : 'unloaded';
    return state === 'LOADING' ? 'loading' : 'unavailable';
  }
}
