import type { EngineName } from '../../runtime/model-runtime.port';
import type { Signature } from '../../runtime/tensor';
import type { EventFields } from '../../storage/event-log.port';
import type { Manifest } from '../upload/manifest';

/** Where a version stands. At most one of a model is in production. */
export const STAGES = ['staging', 'production', 'archived'] as const;

/** Where a version stands. */
export type Stage = (typeof STAGES)[number];

/** What an event of a model has besides its own: why, and under which `Idempotency-Key` what was asked for. */
export interface ModelEventFields extends EventFields {
  readonly model: string;
  readonly reason?: string;
  readonly idempotencyKey?: string;
  /** The request in a few words, where there is a key. */
  readonly request?: string;
}

/** The first event of a registry: names its line of history. */
export interface RegistryCreated extends EventFields {
  readonly kind: 'registry.created';
  readonly lineage: string;
}

/** A version exists from here on. Its blobs were durable before. */
export interface VersionPublished extends ModelEventFields {
  readonly kind: 'version.published';
  readonly version: number;
  /** SHA-256 of the canonical manifest. */
  readonly digest: string;
  readonly manifest: Manifest;
  readonly engine: EngineName;
  /** What is done to the file before the engine gets it; part of the executable. */
  readonly options?: Readonly<Record<string, string>>;
  readonly executable: string;
  readonly signature: Signature;
  /** Why a run is not proved to be bounded; empty where it is; absent where nobody looked. */
  readonly unbounded?: readonly string[];
  /** What its weights and constants take; absent where nobody looked. */
  readonly initializerBytes?: number;
  /** The classes that the model itself names, in the order of its columns of probabilities. */
  readonly labels?: readonly (string | number)[];
}

/** The description and the tags of a model, whole. */
export interface ModelDescribed extends ModelEventFields {
  readonly kind: 'model.described';
  readonly description: string;
  readonly tags: readonly string[];
}

/**
 * A version moved. Into production: what was there before is archived by the same event, and is the next to roll back to. A rollback
 * takes the version that it brings back, and all that came after it, off that stack.
 */
export interface StageChanged extends ModelEventFields {
  readonly kind: 'stage.changed';
  readonly version: number;
  readonly stage: Stage;
  readonly rollback?: true;
  /** Whoever asked for it did so with `force`: nothing stood in the way of this version. */
  readonly forced?: true;
}

/** A name points at a version from here on, wherever it pointed before. */
export interface AliasSet extends ModelEventFields {
  readonly kind: 'alias.set';
  readonly alias: string;
  readonly version: number;
}

/** A name points nowhere any more. */
export interface AliasRemoved extends ModelEventFields {
  readonly kind: 'alias.removed';
  readonly alias: string;
}

/** A version is out of sight from here on, and may come back until its bytes are collected. */
export interface VersionDeleted extends ModelEventFields {
  readonly kind: 'version.deleted';
  readonly version: number;
}

/** A deleted version is there again, in the stage in which it was. Its blobs were durable before, under their names of now. */
export interface VersionUndeleted extends ModelEventFields {
  readonly kind: 'version.undeleted';
  readonly version: number;
}

/** A model is out of sight from here on, and every version that it had. */
export interface ModelDeleted extends ModelEventFields {
  readonly kind: 'model.deleted';
}

/** A deleted model is there again, with those versions that went with it and whose bytes are still there. */
export interface ModelUndeleted extends ModelEventFields {
  readonly kind: 'model.undeleted';
  readonly versions: readonly number[];
}

/** From here on these blobs are called `<digest>.<seq of this event>`: what lies under their old names may be removed at any time. */
export interface BlobsCondemned extends EventFields {
  readonly kind: 'blobs.condemned';
  readonly digests: readonly string[];
}

/**
 * From here on the models that `state` names are what it says of them, whatever they were before, and the others stay as they are. The bytes
 * of what is there then were durable before, under their names of now.
 */
export interface RegistryRestored extends EventFields {
  readonly kind: 'registry.restored';
  /** The snapshot that they came from. */
  readonly snapshot: string;
  /** SHA-256 of a blob: `formatRestored`. Absent in an empty place: the events before this one make what was restored. */
  readonly state?: string;
  readonly stateBytes?: number;
  /** In an empty place: a line of history of its own, so that no ETag of the old line is one of this. */
  readonly lineage?: string;
  readonly reason?: string;
}

/** Every kind of event that this version of the service understands. */
export type RegistryEvent =
  | RegistryCreated
  | VersionPublished
  | VersionDeleted
  | VersionUndeleted
  | ModelDeleted
  | ModelUndeleted
  | ModelDescribed
  | StageChanged
  | AliasSet
  | AliasRemoved
  | BlobsCondemned
  | RegistryRestored;
