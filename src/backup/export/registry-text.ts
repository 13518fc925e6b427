import type { ModelRecord, VersionRecord } from '../../models/registry/registry-records';
import type { RegistryState } from '../../models/registry/registry-state';
import type { SnapshotManifest } from '../snapshot/snapshot-manifest';

/** The registry at the event of a snapshot, as people read it: what stood where, and where its files are in the archive. */
export function registryText({ id, createdAt, seq, lineage }: SnapshotManifest, state: RegistryState): string {
  const models = state.list().map((model) => modelOf(model));
  const deleted = state.listDeleted().map((model) => modelOf(model));
  return `${JSON.stringify({ snapshot: id, createdAt, lineage, seq, models, deletedModels: deleted }, null, 2)}\n`;
}

function modelOf(model: ModelRecord): object {
  const { name, description, tags, production, aliases, versions, deletedVersions, deletion, highest, createdAt, updatedAt } = model;
  return {
    name,
    description,
    tags,
    production: production?.version ?? null,
    aliases: Object.fromEntries(aliases),
    highestVersion: highest,
    createdAt,
    updatedAt,
    ...(deletion && { deleted: deletion }),
    versions: [...versions.values()].map((version) => versionOf(version)),
    deletedVersions: [...deletedVersions.values()].map((deleted) => ({ ...versionOf(deleted.record), deleted: deleted.deletion })),
  };
}

function versionOf({ version, stage, digest, executable, engine, publishedAt, publishedBy, signature, manifest }: VersionRecord): object {
  return { version, stage, digest, executable, engine, publishedAt, publishedBy, signature, files: manifest.files };
}
