import { LOG_START, type LogEntry, type LogPosition, type StoredEvent } from '../../storage/event-log.port';
import type { BlobName } from '../../storage/blob-store.port';
import { LogDamaged } from '../../storage/storage.errors';
import { ModelNotFound, VersionNotFound } from '../models.errors';
import type { RegistryEvent, Stage, StageChanged, VersionPublished } from './registry-event';

/** How far back a model can be rolled. */
const MAX_PAST = 100;

/** One immutable upload, and where it stands. */
export interface VersionRecord extends Pick<
  VersionPublished,
  | 'model'
  | 'version'
  | 'digest'
  | 'manifest'
  | 'engine'
  | 'options'
  | 'executable'
  | 'signature'
  | 'unbounded'
  | 'initializerBytes'
  | 'labels'
> {
  /** The name of the blob that the engine loads. */
  readonly blob: BlobName;
  /** The names of all blobs of the artifact, in the order of its files. */
  readonly blobs: readonly BlobName[];
  readonly publishedAt: string;
  readonly publishedBy: string;
  stage: Stage;
}

/** A model and its versions. */
export interface ModelRecord {
  readonly name: string;
  description: string;
  tags: readonly string[];
  readonly versions: Map<number, VersionRecord>;
  /** The greatest number ever given: numbers are never given twice. */
  highest: number;
  production: VersionRecord | undefined;
  /** Numbers of the versions that were in production before, the last one last. */
  past: number[];
  /** Versions by other names. `production` is none of them: it follows the stage. */
  readonly aliases: Map<string, number>;
  /** Number of the last event that touched this model. */
  seq: number;
  /** Numbers of all of them. */
  readonly events: number[];
}

/** An event of a kind that this version of the service does not know. */
export interface ForeignEvent {
  readonly kind: string;
  readonly seq: number;
}

/** A registry's state as plain JSON. */
export interface RegistrySnapshot {
  readonly lineage: string;
  readonly condemned: readonly (readonly [string, number])[];
  readonly models: readonly (Omit<ModelRecord, 'production' | 'versions' | 'past' | 'aliases' | 'events'> & {
    readonly production: number | null;
    readonly past?: readonly number[];
    readonly events?: readonly number[];
    readonly aliases?: readonly (readonly [string, number])[];
    readonly versions: readonly VersionRecord[];
  })[];
}

/** The registry as its events make it. Reading is free; only the journal applies events. */
export class RegistryState {
  private readonly models = new Map<string, ModelRecord>();
  /** The event that condemned a digest last. */
  private readonly condemned = new Map<string, number>();
  private unknown: ForeignEvent | undefined;
  private at: LogPosition = LOG_START;
  private line = '';

  /** How far the log is folded in. */
  get position(): LogPosition {
    return this.at;
  }

  /** The line of history. */
  get lineage(): string {
    return this.line;
  }

  /** Every model, by name. */
  list(): readonly ModelRecord[] {
    return [...this.models.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  find(name: string): ModelRecord | undefined {
    return this.models.get(name);
  }

  /** @throws ModelNotFound */
  require(name: string): ModelRecord {
    const model = this.models.get(name);
    if (model === undefined) throw new ModelNotFound(name);
    return model;
  }

  /** @throws ModelNotFound, VersionNotFound */
  requireVersion(name: string, version: number): VersionRecord {
    const { versions } = this.require(name);
    const record = versions.get(version);
    if (record === undefined) throw new VersionNotFound(name, version, [...versions.keys()]);
    return record;
  }

  /** Names the state of a model: another after every event that touches it, and after a restore. @throws ModelNotFound */
  etagOf(name: string): string {
    return `"${this.line}-${this.require(name).seq}"`;
  }

  /** What a blob with these bytes is called from now on. */
  blobName(digest: string): BlobName {
    const seq = this.condemned.get(digest);
    return seq === undefined ? digest : `${digest}.${seq}`;
  }

  /** The names of all blobs that a version needs. */
  referenced(): ReadonlySet<BlobName> {
    return new Set([...this.models.values()].flatMap(({ versions }) => [...versions.values()].flatMap(({ blobs }) => blobs)));
  }

  /** The first event that this version of the service does not understand, if there is one: a newer version wrote it. */
  get foreign(): ForeignEvent | undefined {
    return this.unknown;
  }

  /** Everything, as plain JSON, for a checkpoint. */
  snapshot(): RegistrySnapshot {
    const models = [...this.models.values()].map(({ production, aliases, past, events, versions, ...model }) => {
      return {
        ...model,
        production: production?.version ?? null,
        past: [...past],
        events: [...events],
        aliases: [...aliases],
        versions: [...versions.values()],
      };
    });
    return { lineage: this.line, condemned: [...this.condemned], models };
  }

  /** Takes the place of a fold up to `position`; only on a state that nothing was applied to. */
  restore({ lineage, condemned, models }: RegistrySnapshot, position: LogPosition): void {
    this.line = lineage;
    for (const [digest, seq] of condemned) this.condemned.set(digest, seq);
    for (const { production, past = [], events = [], aliases = [], versions, ...model } of models) {
      const byNumber = new Map(versions.map((version) => [version.version, { ...version, blobs: version.blobs ?? [version.blob] }]));
      const pointers = { production: byNumber.get(production ?? 0), past: [...past], events: [...events], aliases: new Map(aliases) };
      this.models.set(model.name, { ...model, ...pointers, versions: byNumber });
    }
    this.at = position;
  }

  /** Folds in the next event. @throws LogDamaged where it contradicts those before it */
  apply({ event, position }: LogEntry): void {
    try {
      this.fold(event as StoredEvent & RegistryEvent);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new LogDamaged(position.seq, `it lacks what an event of the kind "${event.kind}" has`, { cause: error });
    }
    this.at = position;
  }

  private fold(event: StoredEvent & RegistryEvent): void {
    switch (event.kind) {
      case 'registry.created':
        this.line = event.lineage;
        return;
      case 'version.published':
        return this.publish(event);
      case 'model.described':
        Object.assign(this.touch(event.model, event.seq), { description: event.description, tags: event.tags });
        return;
      case 'stage.changed':
        return this.move(event);
      case 'alias.set':
        this.requireKnown(event);
        this.touch(event.model, event.seq).aliases.set(event.alias, event.version);
        return;
      case 'alias.removed':
        this.touch(event.model, event.seq).aliases.delete(event.alias);
        return;
      case 'blobs.condemned':
        for (const digest of event.digests) this.condemned.set(digest, event.seq);
        return;
      default: {
        const { kind, seq } = event as StoredEvent;
        this.unknown ??= { kind, seq };
      }
    }
  }

  private publish(event: StoredEvent & VersionPublished): void {
    const { model, version, digest, manifest, engine, options, executable, signature, unbounded, initializerBytes, labels, at, actor } =
      event;
    const blobs = manifest.files.map(({ sha256 }) => this.blobName(sha256));
    const [blob = ''] = blobs;
    const record = this.touch(model, event.seq);
    const published = { blob, blobs, publishedAt: at, publishedBy: actor, stage: 'staging' as const };
    const found = {
      ...(options && { options }),
      ...(unbounded && { unbounded }),
      ...(initializerBytes !== undefined && { initializerBytes }),
      ...(labels && { labels }),
    };
    record.versions.set(version, { model, version, digest, manifest, engine, executable, signature, ...found, ...published });
    record.highest = Math.max(record.highest, version);
  }

  private move(event: StoredEvent & StageChanged): void {
    const moved = this.requireKnown(event);
    const { stage } = event;
    const record = this.touch(event.model, event.seq);
    remember(record, event);
    if (stage === 'production' && record.production !== undefined) record.production.stage = 'archived';
    moved.stage = stage;
    if (stage === 'production') record.production = moved;
    else if (record.production === moved) record.production = undefined;
  }

  /** @throws LogDamaged where the event is about a version that was never published */
  private requireKnown({ model, version, seq }: { readonly model: string; readonly version: number; readonly seq: number }): VersionRecord {
    const record = this.models.get(model)?.versions.get(version);
    if (record === undefined) throw new LogDamaged(seq, `it is about version ${version} of "${model}", which was never published`);
    return record;
  }

  private touch(name: string, seq: number): ModelRecord {
    let record = this.models.get(name);
    if (record === undefined) {
      record = {
        name,
        description: '',
        tags: [],
        versions: new Map(),
        highest: 0,
        production: undefined,
        past: [],
        events: [],
        aliases: new Map(),
        seq,
      };
      this.models.set(name, record);
    }
    record.seq = seq;
    record.events.push(seq);
    return record;
  }
}

/** Keeps the stack of past production versions: what leaves production goes on it, what a rollback brings back comes off it. */
function remember(record: ModelRecord, { version, stage, rollback }: StageChanged): void {
  const { past, production } = record;
  if (rollback === true) past.splice(Math.max(0, past.lastIndexOf(version)));
  else if (production !== undefined && (production.version === version) !== (stage === 'production')) past.push(production.version);
  if (past.length > MAX_PAST) past.shift();
}
