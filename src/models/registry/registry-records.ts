import type { BlobName } from '../../storage/blob-store.port';
import type { Stage, VersionPublished } from './registry-event';

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

/** The event that took something away. */
export interface Deletion {
  readonly seq: number;
  readonly at: string;
  readonly by: string;
  readonly reason?: string;
}

/** A version that was deleted: what it was, for as long as it may come back. */
export interface DeletedVersion {
  readonly record: VersionRecord;
  readonly deletion: Deletion;
}

/** What was asked for under an `Idempotency-Key`, and what came of it. */
export interface Done {
  /** The request in a few words: another one under the same key is a mistake. */
  readonly request: string;
  readonly seq: number;
  /** The version that it was about, or that it made. */
  readonly version?: number;
}

/** A model and its versions. */
export interface ModelRecord {
  readonly name: string;
  description: string;
  tags: readonly string[];
  /** By number, the least first. */
  readonly versions: Map<number, VersionRecord>;
  readonly deletedVersions: Map<number, DeletedVersion>;
  /** Set while the whole model is deleted. */
  deletion?: Deletion;
  /** The greatest number ever given: numbers are never given twice. */
  highest: number;
  production: VersionRecord | undefined;
  /** Numbers of the versions that were in production before, the last one last. */
  past: number[];
  /** Versions by other names. `production` is none of them: it follows the stage. */
  readonly aliases: Map<string, number>;
  readonly createdAt: string;
  updatedAt: string;
  /** Number of the last event that touched this model. */
  seq: number;
  /** Numbers of all of them. */
  readonly events: number[];
  /** The last requests that came with a key of their own, by key, the oldest first. */
  readonly done: Map<string, Done>;
}

/** A model of which nothing has happened yet. */
export function emptyModel(name: string, at: string): ModelRecord {
  return {
    name,
    description: '',
    tags: [],
    versions: new Map(),
    deletedVersions: new Map(),
    highest: 0,
    production: undefined,
    past: [],
    aliases: new Map(),
    createdAt: at,
    updatedAt: at,
    seq: 0,
    events: [],
    done: new Map(),
  };
}
