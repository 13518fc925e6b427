import type { BlobName } from '../../storage/blob-store.port';
import { LOG_START, type LogEntry, type LogPosition, type StoredEvent } from '../../storage/event-log.port';
import { LogDamaged } from '../../storage/storage.errors';
import { ModelNotFound, VersionNotFound } from '../models.errors';
import type { RegistryEvent } from './registry-event';
import { foldEvent, Registry } from './registry-fold';
import type { ModelRecord, VersionRecord } from './registry-records';
import type { RestoredModels } from './restored-models';
import { modelFrom, plainModel, type RegistrySnapshot } from './registry-snapshot';

/** The registry as its events make it. Reading is free; only the journal applies events. */
export class RegistryState {
  private readonly registry = new Registry();
  private at: LogPosition = LOG_START;
  private readonly listeners = new Set<(event: StoredEvent) => void>();

  /** How far the log is folded in. */
  get position(): LogPosition {
    return this.at;
  }

  /** The line of history. */
  get lineage(): string {
    return this.registry.lineage;
  }

  /** Every model that is not deleted, by name. */
  list(): readonly ModelRecord[] {
    return this.all().filter(({ deletion }) => deletion === undefined);
  }

  /** Every deleted model, by name. */
  listDeleted(): readonly ModelRecord[] {
    return this.all().filter(({ deletion }) => deletion !== undefined);
  }

  find(name: string): ModelRecord | undefined {
    const model = this.registry.models.get(name);
    return model?.deletion === undefined ? model : undefined;
  }

  /** Also where it is deleted. */
  findKnown(name: string): ModelRecord | undefined {
    return this.registry.models.get(name);
  }

  /** @throws ModelNotFound */
  require(name: string): ModelRecord {
    const model = this.requireKnown(name);
    if (model.deletion !== undefined) throw new ModelNotFound(name, model.deletion);
    return model;
  }

  /** Also where it is deleted. @throws ModelNotFound where there never was one */
  requireKnown(name: string): ModelRecord {
    const model = this.registry.models.get(name);
    if (model === undefined) throw new ModelNotFound(name);
    return model;
  }

  /** @throws ModelNotFound, VersionNotFound */
  requireVersion(name: string, version: number): VersionRecord {
    const { versions, deletedVersions } = this.require(name);
    const record = versions.get(version);
    if (record === undefined) throw new VersionNotFound(name, version, [...versions.keys()], deletedVersions.get(version)?.deletion);
    return record;
  }

  /** Names the state of a model: another after every event that touches it, and after a restore. @throws ModelNotFound */
  etagOf(name: string): string {
    return `"${this.lineage}-${this.requireKnown(name).seq}"`;
  }

  /** What a blob with these bytes is called from now on. */
  blobName(digest: string): BlobName {
    return this.registry.blobName(digest);
  }

  /** The names of all blobs that a version needs. @param deletedSince also those of versions that were deleted then or later, ISO 8601 */
  referenced(deletedSince = ''): ReadonlySet<BlobName> {
    const needed = [...this.registry.models.values()].flatMap(({ versions, deletedVersions }) => [
      ...versions.values(),
      ...[...deletedVersions.values()].filter(({ deletion }) => deletion.at >= deletedSince).map(({ record }) => record),
    ]);
    return new Set([...needed.flatMap(({ blobs }) => blobs), ...this.registry.restored.keys()]);
  }

  /** The blobs of states that were restored, and their sizes in bytes: without them nobody can read the log any more. */
  get restoredStates(): ReadonlyMap<BlobName, number> {
    return this.registry.restored;
  }

  /** The first event that this version of the service does not understand, if there is one: a newer version wrote it. */
  get foreign(): Registry['foreign'] {
    return this.registry.foreign;
  }

  /** Everything, as plain JSON, for a checkpoint. */
  snapshot(): RegistrySnapshot {
    const { lineage, condemned, restored, models } = this.registry;
    return { lineage, condemned: [...condemned], restored: [...restored], models: [...models.values()].map((model) => plainModel(model)) };
  }

  /** Takes the place of a fold up to `position`; only on a state that nothing was applied to. */
  restore({ lineage, condemned, restored, models }: RegistrySnapshot, position: LogPosition): void {
    this.registry.lineage = lineage;
    for (const [digest, seq] of condemned) this.registry.condemned.set(digest, seq);
    for (const [name, bytes] of restored) this.registry.restored.set(name, bytes);
    for (const model of models) this.registry.models.set(model.name, modelFrom(model));
    this.at = position;
  }

  /** Folds in the next event. @param restored what `restoredBy` makes of it @throws LogDamaged where it contradicts those before it */
  apply({ event, position }: LogEntry, restored?: RestoredModels): void {
    this.fold(event, restored);
    this.at = position;
    for (const hear of this.listeners) hear(event);
  }

  /** @param listener is told of every event that is folded in from now on, whichever process wrote it; it must not throw @returns call it to be told no more */
  onApplied(listener: (event: StoredEvent) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** As `apply`, for a fold of some events only: such a state has no position. @throws LogDamaged */
  fold(event: StoredEvent, restored?: RestoredModels): void {
    try {
      foldEvent(this.registry, event as StoredEvent & RegistryEvent, restored);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new LogDamaged(event.seq, `it lacks what an event of the kind "${event.kind}" has`, { cause: error });
    }
  }

  private all(): readonly ModelRecord[] {
    return [...this.registry.models.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
