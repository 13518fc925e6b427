import type { BlobName } from '../../storage/blob-store.port';
import type { StoredEvent } from '../../storage/event-log.port';
import { LogDamaged } from '../../storage/storage.errors';
import type {
  ModelDeleted,
  ModelUndeleted,
  RegistryEvent,
  RegistryRestored,
  StageChanged,
  VersionDeleted,
  VersionPublished,
} from './registry-event';
import { type Deletion, emptyModel, type ModelRecord, type VersionRecord } from './registry-records';
import type { RestoredModels } from './restored-models';

/** How far back a model can be rolled. */
const MAX_PAST = 100;
/** How many requests with an `Idempotency-Key` are remembered of a model. */
const MAX_DONE = 1000;

type About<Event> = StoredEvent & Event;

/** What all events together say. Only `foldEvent` changes it. */
export class Registry {
  lineage = '';
  readonly models = new Map<string, ModelRecord>();
  /** The event that condemned a digest last. */
  readonly condemned = new Map<string, number>();
  /** Blobs of states that were restored, and the size of each. */
  readonly restored = new Map<BlobName, number>();
  /** The first event of a kind that this version of the service does not know. */
  foreign: { readonly kind: string; readonly seq: number } | undefined;

  /** What a blob with these bytes is called from now on. */
  blobName(digest: string): BlobName {
    const seq = this.condemned.get(digest);
    return seq === undefined ? digest : `${digest}.${seq}`;
  }
}

/** Makes the next event true. @throws LogDamaged where it contradicts those before it; TypeError where it lacks what its kind has */
export function foldEvent(registry: Registry, event: About<RegistryEvent>, restored?: RestoredModels): void {
  switch (event.kind) {
    case 'registry.created':
      registry.lineage = event.lineage;
      return;
    case 'blobs.condemned':
      for (const digest of event.digests) registry.condemned.set(digest, event.seq);
      return;
    case 'version.published':
      return publish(registry, event);
    case 'version.deleted':
      return deleteVersion(registry, event);
    case 'version.undeleted':
      return undelete(registry, touch(registry, event), [event.version]);
    case 'model.deleted':
      return deleteModel(registry, event);
    case 'model.undeleted':
      return undeleteModel(registry, event);
    case 'model.described':
      Object.assign(touch(registry, event), { description: event.description, tags: event.tags });
      return;
    case 'stage.changed':
      return move(registry, event);
    case 'alias.set':
      requireKnown(registry, event);
      touch(registry, event).aliases.set(event.alias, event.version);
      return;
    case 'alias.removed':
      touch(registry, event).aliases.delete(event.alias);
      return;
    case 'registry.restored':
      return restore(registry, event, restored);
    default: {
      const { kind, seq } = event as StoredEvent;
      registry.foreign ??= { kind, seq };
    }
  }
}

function publish(registry: Registry, event: About<VersionPublished>): void {
  const { model, version, digest, manifest, engine, options, executable, signature, unbounded, initializerBytes, labels, at, actor } =
    event;
  const blobs = manifest.files.map(({ sha256 }) => registry.blobName(sha256));
  const [blob = ''] = blobs;
  const record = touch(registry, event);
  if (record.deletion !== undefined) beginAnew(record);
  const published = { blob, blobs, publishedAt: at, publishedBy: actor, stage: 'staging' as const };
  const found = {
    ...(options && { options }),
    ...(unbounded && { unbounded }),
    ...(initializerBytes !== undefined && { initializerBytes }),
    ...(labels && { labels }),
  };
  insert(record, { model, version, digest, manifest, engine, executable, signature, ...found, ...published });
  record.highest = Math.max(record.highest, version);
}

function move(registry: Registry, event: About<StageChanged>): void {
  const moved = requireKnown(registry, event);
  const { stage } = event;
  const record = touch(registry, event);
  remember(record, event);
  if (stage === 'production' && record.production !== undefined) record.production.stage = 'archived';
  moved.stage = stage;
  if (stage === 'production') record.production = moved;
  else if (record.production === moved) record.production = undefined;
}

function deleteVersion(registry: Registry, event: About<VersionDeleted>): void {
  requireKnown(registry, event);
  takeAway(touch(registry, event), event.version, deletionOf(event));
}

function deleteModel(registry: Registry, event: About<ModelDeleted>): void {
  const record = touch(registry, event);
  record.deletion = deletionOf(event);
  for (const version of record.versions.keys()) takeAway(record, version, record.deletion);
}

function undeleteModel(registry: Registry, event: About<ModelUndeleted>): void {
  const record = touch(registry, event);
  delete record.deletion;
  undelete(registry, record, event.versions);
}

/** What comes back has blobs under the names of now: whoever wrote the event has seen to it that they are there. */
function undelete(registry: Registry, model: ModelRecord, versions: readonly number[]): void {
  for (const version of versions) {
    const deleted = model.deletedVersions.get(version);
    if (deleted === undefined)
      throw new LogDamaged(model.seq, `it brings back version ${version} of "${model.name}", which was not deleted`);
    model.deletedVersions.delete(version);
    const blobs = deleted.record.manifest.files.map(({ sha256 }) => registry.blobName(sha256));
    insert(model, { ...deleted.record, blobs, blob: blobs[0] ?? '' });
  }
}

function restore(registry: Registry, event: About<RegistryRestored>, models: RestoredModels | undefined): void {
  const { state, stateBytes = 0, lineage, seq, at } = event;
  registry.lineage = lineage ?? registry.lineage;
  if (state !== undefined) {
    if (models === undefined) throw new LogDamaged(seq, 'the state that it restores was not read');
    registry.restored.set(registry.blobName(state), stateBytes);
    for (const model of models) settle(registry, model);
  }
  for (const model of models ?? registry.models.values()) {
    model.seq = seq;
    model.updatedAt = at;
    model.events.push(seq);
  }
}

/** What was there before and is still there stays the very record, so that nothing that is in memory is loaded again. */
function settle(registry: Registry, model: ModelRecord): void {
  const before = registry.models.get(model.name)?.versions;
  for (const [number, record] of model.versions) {
    const same = before?.get(number);
    if (same?.digest === record.digest) {
      same.stage = record.stage;
      model.versions.set(number, same);
    } else {
      const blobs = record.manifest.files.map(({ sha256 }) => registry.blobName(sha256));
      Object.assign(record, { blobs, blob: blobs[0] ?? '' });
    }
  }
  model.production = model.versions.get(model.production?.version ?? 0);
  registry.models.set(model.name, model);
}

/** An upload under the name of a deleted model: nothing but the numbers goes on. */
function beginAnew(model: ModelRecord): void {
  delete model.deletion;
  Object.assign(model, { description: '', tags: [], past: [] });
}

function takeAway(model: ModelRecord, version: number, deletion: Deletion): void {
  const record = model.versions.get(version) as VersionRecord;
  model.versions.delete(version);
  model.deletedVersions.set(version, { record, deletion });
  if (model.production === record) model.production = undefined;
  for (const [alias, target] of model.aliases) if (target === version) model.aliases.delete(alias);
}

function insert({ versions }: ModelRecord, record: VersionRecord): void {
  const later = [...versions].filter(([number]) => number > record.version);
  for (const [number] of later) versions.delete(number);
  for (const [number, each] of [[record.version, record] as const, ...later]) versions.set(number, each);
}

function deletionOf({ seq, at, actor, reason }: About<VersionDeleted | ModelDeleted>): Deletion {
  return { seq, at, by: actor, ...(reason !== undefined && { reason }) };
}

/** @throws LogDamaged where the event is about a version that is not there */
function requireKnown({ models }: Registry, { model, version, seq }: StoredEvent & { model: string; version: number }): VersionRecord {
  const record = models.get(model)?.versions.get(version);
  if (record === undefined) throw new LogDamaged(seq, `it is about version ${version} of "${model}", which was never published`);
  return record;
}

function touch({ models }: Registry, event: StoredEvent & { model: string; version?: number }): ModelRecord {
  const { model: name, seq, at, version, idempotencyKey: key, request } = event;
  const record = models.get(name) ?? emptyModel(name, at);
  models.set(name, record);
  record.seq = seq;
  record.updatedAt = at;
  record.events.push(seq);
  if (typeof key === 'string') {
    record.done.delete(key);
    record.done.set(key, { request: String(request), seq, ...(version !== undefined && { version }) });
    if (record.done.size > MAX_DONE) record.done.delete(record.done.keys().next().value as string);
  }
  return record;
}

/** Keeps the stack of past production versions: what leaves production goes on it, what a rollback brings back comes off it. */
function remember(record: ModelRecord, { version, stage, rollback }: StageChanged): void {
  const { past, production } = record;
  if (rollback === true) past.splice(Math.max(0, past.lastIndexOf(version)));
  else if (production !== undefined && (production.version === version) !== (stage === 'production')) past.push(production.version);
  if (past.length > MAX_PAST) past.shift();
}
