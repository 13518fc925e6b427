import type { VersionRecord } from '../../models/registry/registry-records';
import type { RegistryState } from '../../models/registry/registry-state';
import type { BlobName } from '../../storage/blob-store.port';
import type { LogPosition } from '../../storage/event-log.port';
import type { ModelSummary } from './snapshot-manifest';

/** The registry at one event: everything that is asked for comes from the same state. */
export interface RegistryCut {
  readonly position: LogPosition;
  readonly lineage: string;
  readonly createdAt: string;
  /** Blobs of what is there, and their sizes: a snapshot without one of them is none. */
  readonly needed: ReadonlyMap<BlobName, number>;
  /** Blobs of what was deleted and may come back: they are taken along where they are still there. */
  readonly wanted: ReadonlyMap<BlobName, number>;
  readonly models: readonly ModelSummary[];
}

/** The blobs of all that is there, and their sizes in bytes; with them those that the log itself needs. */
export function liveBlobs(state: RegistryState): ReadonlyMap<BlobName, number> {
  return new Map([...sizesOf(state.list().flatMap(({ versions }) => [...versions.values()])), ...state.restoredStates]);
}

/** Those of what was deleted, but for those that were condemned: a collection may take them at any moment. */
export function deletedBlobs(state: RegistryState): ReadonlyMap<BlobName, number> {
  const models = [...state.list(), ...state.listDeleted()];
  const sizes = sizesOf(models.flatMap(({ deletedVersions }) => [...deletedVersions.values()].map(({ record }) => record)));
  return new Map([...sizes].filter(([name]) => state.blobName(name.slice(0, 64)) === name));
}

/** What there is, for people. */
export function summariesOf(state: RegistryState): readonly ModelSummary[] {
  return state.list().map(({ name, production, versions }) => ({
    name,
    production: production?.version ?? null,
    versions: [...versions.values()].map(({ version, stage, digest, manifest }) => ({
      version,
      stage,
      digest,
      files: manifest.files.map(({ path, sha256 }) => ({ path, sha256 })),
    })),
  }));
}

function sizesOf(versions: readonly VersionRecord[]): ReadonlyMap<BlobName, number> {
  return new Map(versions.flatMap(({ blobs, manifest }) => blobs.map((name, at) => [name, manifest.files[at]?.size ?? 0] as const)));
}
