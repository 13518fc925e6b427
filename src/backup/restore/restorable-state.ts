import { aliasName, modelName } from '../../models/model-name';
import type { VersionRecord } from '../../models/registry/registry-records';
import type { RegistryState } from '../../models/registry/registry-state';
import { digestOf } from '../../models/upload/manifest';
import { registryOf } from '../snapshot/log-replay';
import { SnapshotDamaged, SnapshotNewer } from '../snapshot/snapshot.errors';
import type { RestoreSource } from './restore-source';

/** Of a file in an artifact: relative, and no part of it leads upwards. */
const FILE_PATH = /^(?!.*(^|\/)\.{0,2}(\/|$))[^\p{Cc}\\]{1,512}$/u;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * The registry that a snapshot holds. Whoever wrote it may mean harm where it is not signed: names that would not be taken from an upload
 * are not taken from it, and what follows from other things must follow from them.
 * @throws SnapshotDamaged, SnapshotNewer
 */
export async function restorableState({ manifest, open }: RestoreSource): Promise<RegistryState> {
  const state = await registryOf(manifest, open);
  const { foreign } = state;
  if (foreign !== undefined)
    throw new SnapshotNewer(`its event ${foreign.seq} is of the kind "${foreign.kind}"`, 'kinds that this version knows');
  for (const { name, aliases, versions, deletedVersions } of [...state.list(), ...state.listDeleted()]) {
    if (!isGood(() => modelName(name, 'name'))) throw hostile(`a model is called ${shown(name)}`);
    for (const alias of aliases.keys())
      if (!isGood(() => aliasName(alias, 'alias'))) throw hostile(`an alias of "${name}" is called ${shown(alias)}`);
    for (const record of versions.values()) refuseHostile(name, record);
    for (const { record } of deletedVersions.values()) refuseHostile(name, record);
  }
  return state;
}

function refuseHostile(name: string, { version, digest, manifest, engine, executable, options = {} }: VersionRecord): void {
  const of = `version ${shown(version)} of "${name}"`;
  if (!Number.isSafeInteger(version) || version < 1) throw hostile(`${of} has no number`);
  if (manifest.files.length === 0) throw hostile(`${of} has no file`);
  for (const { path, sha256, size } of manifest.files) {
    if (!FILE_PATH.test(path)) throw hostile(`${of} has a file called ${shown(path)}`);
    if (!SHA256.test(sha256) || !Number.isSafeInteger(size) || size < 0)
      throw hostile(`${of} does not say what its file ${shown(path)} is`);
  }
  if (digest !== digestOf(manifest)) throw hostile(`the digest of ${of} is not that of its files and metadata`);
  // answers are kept under it: one that is another's would be answered with that one's
  const file = manifest.files[0]?.sha256 as string;
  if (executable !== digestOf({ engine, file, options })) throw hostile(`the executable of ${of} is not that of its file`);
}

function isGood(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

function hostile(reason: string): SnapshotDamaged {
  return new SnapshotDamaged('The log', reason);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80);
}
