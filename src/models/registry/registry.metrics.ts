import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Counts } from '../../metrics/counts';
import { alone, by, Exposition } from '../../metrics/exposition';
import type { RegistryEvent } from './registry-event';
import { RegistryJournal } from './registry-journal';
import { RegistryState } from './registry-state';

/** A newer version of the service may write others: those are `unknown`. */
const KINDS: Readonly<Record<RegistryEvent['kind'], true>> = {
  'registry.created': true,
  'version.published': true,
  'version.deleted': true,
  'version.undeleted': true,
  'model.deleted': true,
  'model.undeleted': true,
  'model.described': true,
  'stage.changed': true,
  'alias.set': true,
  'alias.removed': true,
  'blobs.condemned': true,
  'registry.restored': true,
};

/** What Prometheus is told of the registry. */
@Injectable()
export class RegistryMetrics implements OnApplicationBootstrap {
  private readonly events = new Counts();

  constructor(
    exposition: Exposition,
    private readonly state: RegistryState,
    journal: RegistryJournal,
  ) {
    const events = 'Events of the registry that were read since the start, by kind.';
    exposition.addGauge({ name: 'registry_models', help: 'Models that are not deleted.' }, () => alone(state.list().length));
    exposition.addCounter({ name: 'registry_events_total', help: events }, () => by('kind', this.events));
    const readOnly = '1 while the registry takes no changes.';
    exposition.addGauge({ name: 'storage_read_only', help: readOnly }, () => alone(journal.readOnlyReason === undefined ? 0 : 1));
    exposition.addGauge({ name: 'registry_last_event', help: 'Number of the last event.' }, () => alone(state.position.seq));
  }

  /** From here on: what was there before the start is no news. */
  onApplicationBootstrap(): void {
    this.state.onApplied(({ kind }) => this.events.count(Object.hasOwn(KINDS, kind) ? kind : 'unknown'));
  }
}
