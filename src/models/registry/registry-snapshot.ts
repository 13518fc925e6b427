import type { DeletedVersion, Done, ModelRecord, VersionRecord } from './registry-records';

/** A model as plain JSON. */
export type PlainModel = Omit<ModelRecord, 'production' | 'versions' | 'deletedVersions' | 'aliases' | 'done'> & {
  readonly production: number | null;
  readonly versions: readonly VersionRecord[];
  readonly deletedVersions: readonly DeletedVersion[];
  readonly aliases: readonly (readonly [string, number])[];
  readonly done: readonly (readonly [string, Done])[];
};

/** A registry's state as plain JSON. */
export interface RegistrySnapshot {
  readonly lineage: string;
  readonly condemned: readonly (readonly [string, number])[];
  /** States that were restored: their blobs, and the size of each. */
  readonly restored: readonly (readonly [string, number])[];
  readonly models: readonly PlainModel[];
}

/** A model as plain JSON: nothing in it changes any more. */
export function plainModel({ production, versions, deletedVersions, aliases, past, events, done, ...model }: ModelRecord): PlainModel {
  return {
    ...model,
    production: production?.version ?? null,
    versions: [...versions.values()].map((version) => ({ ...version })),
    deletedVersions: [...deletedVersions.values()],
    aliases: [...aliases],
    past: [...past],
    events: [...events],
    done: [...done],
  };
}

/** The model that `plainModel` was made of. */
export function modelFrom(plain: PlainModel): ModelRecord {
  const { production, versions, deletedVersions, aliases, past, events, done, ...model } = plain;
  const byNumber = new Map(versions.map((version) => [version.version, { ...version }]));
  return {
    ...model,
    versions: byNumber,
    deletedVersions: new Map(deletedVersions.map((deleted) => [deleted.record.version, deleted])),
    production: byNumber.get(production ?? 0),
    aliases: new Map(aliases),
    past: [...past],
    events: [...events],
    done: new Map(done),
  };
}
