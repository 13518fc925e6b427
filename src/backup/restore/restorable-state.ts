import { hasCode } from '../../errors/has-code';
import { aliasName, modelName } from '../../models/model-name';
import type { DeletedVersion, ModelRecord, VersionRecord } from '../../models/registry/registry-records';
import type { RegistryState } from '../../models/registry/registry-state';
import { digestOf, executableOf } from '../../models/upload/manifest';
import { ModelMetadata } from '../../models/upload/model-metadata';
import { checked } from '../../wire/checked';
import { type Check, faultIn, has, isCount, isText, isTime, listOf, type Members } from '../snapshot/json-shape';
import { registryOf } from '../snapshot/log-replay';
import type { SnapshotManifest } from '../snapshot/snapshot-manifest';
import { SnapshotDamaged, SnapshotNewer } from '../snapshot/snapshot.errors';
import { ARTIFACT, faultOf, isDescription, isStage, isTags, isVersion, MAY_HAVE } from './event-shape';
import type { RestoreSource } from './restore-source';

const isLine: Check = (value) => isText(value, /^[^\p{Cc}]{0,1024}$/u);
const isBlob: Check = (value) => isText(value, /^[0-9a-f]{64}(\.[1-9][0-9]{0,15})?$/);

const DELETION: Members = { seq: isCount, at: isTime, by: isLine };
const VERSION: Members = {
  ...ARTIFACT,
  model: isLine,
  blob: isBlob,
  blobs: listOf(isBlob),
  publishedAt: isTime,
  publishedBy: isLine,
  stage: isStage,
};
const isDone: Check = (value) => has(value, { request: isDescription, seq: isCount }, { version: isVersion });
const MODEL: Members = {
  name: isLine,
  description: isDescription,
  tags: isTags,
  highest: isVersion,
  past: listOf(isVersion),
  createdAt: isTime,
  updatedAt: isTime,
  seq: isCount,
  events: listOf(isCount),
  // looked at one by one
  versions: () => true,
  deletedVersions: () => true,
  production: () => true,
  aliases: () => true,
  done: () => true,
};
const isDeletion: Check = (value) => has(value, DELETION, { reason: isDescription });

/**
 * The registry that a snapshot holds. Whoever wrote it may mean harm where it is not signed: names and shapes that would not be taken from
 * an upload are not taken from it, and what follows from other things must follow from them.
 * @throws SnapshotDamaged, SnapshotNewer
 */
export async function restorableState({ manifest, read }: RestoreSource): Promise<RegistryState> {
  const state = await registryOf(manifest, read, (event) => {
    const fault = faultOf(event);
    if (fault !== undefined) throw hostile(`the member ${fault} of event ${event.seq} is not what it must be`);
  });
  const { foreign, lineage } = state;
  if (foreign !== undefined)
    throw new SnapshotNewer(`its event ${foreign.seq} is of the kind "${foreign.kind}"`, 'kinds that this version knows');
  // it is part of every ETag
  if (!isText(lineage, /^[0-9A-Za-z-]{1,64}$/) || lineage !== manifest.lineage) throw hostile('it is of another line of history');
  for (const model of [...state.list(), ...state.listDeleted()]) refuseModel(model, sizesOf(manifest));
  return state;
}

function refuseModel(model: ModelRecord, sizes: ReadonlyMap<string, number>): void {
  const { name, versions, deletedVersions, aliases, production, highest, done } = model;
  if (!isGood(() => modelName(name, 'name'))) throw hostile(`a model is called ${shown(name)}`);
  const fault = faultIn(model, MODEL, { deletion: isDeletion });
  if (fault !== undefined) throw hostile(`${fault} of the model "${name}" is not what it must be`);
  for (const [alias, version] of aliases) {
    if (!isGood(() => aliasName(alias, 'alias'))) throw hostile(`an alias of "${name}" is called ${shown(alias)}`);
    if (!versions.has(version)) throw hostile(`the alias ${alias} of "${name}" points nowhere`);
  }
  for (const [number, record] of versions) refuseVersion(name, number, record, sizes);
  for (const [number, { record, deletion }] of deletedVersions as ReadonlyMap<number, DeletedVersion>) {
    refuseVersion(name, number, record, sizes);
    if (!isDeletion(deletion) || versions.has(number)) throw hostile(`nobody can say how version ${number} of "${name}" was deleted`);
  }
  const served = [...versions.values()].filter(({ stage }) => stage === 'production');
  if (served.length > 1 || served[0] !== production) throw hostile(`"${name}" has not one version in production`);
  if ([...versions.keys(), ...deletedVersions.keys()].some((number) => number > highest))
    throw hostile(`"${name}" has versions with numbers that it never gave`);
  for (const [key, what] of done) if (!isLine(key) || !isDone(what)) throw hostile(`a request for "${name}" is not what it must be`);
}

function refuseVersion(name: string, number: number, record: VersionRecord, sizes: ReadonlyMap<string, number>): void {
  const of = `version ${shown(number)} of "${name}"`;
  const fault = faultIn(record, VERSION, MAY_HAVE);
  if (fault !== undefined) throw hostile(`${fault} of ${of} is not what it must be`);
  const { model, version, digest, manifest, engine, executable, blob, blobs, options = {} } = record;
  if (model !== name || version !== number) throw hostile(`${of} is that of another`);
  const { files, metadata } = manifest;
  if (files.length === 0) throw hostile(`${of} has no file`);
  for (const { path, sha256, size } of files)
    if ((sizes.get(sha256) ?? size) !== size) throw hostile(`the file ${shown(path)} of ${of} has another size`);
  if (new Set(files.map(({ path }) => path)).size < files.length) throw hostile(`${of} has two files of one name`);
  refuseMetadata(of, metadata);
  if (digest !== digestOf(manifest)) throw hostile(`the digest of ${of} is not that of its files and metadata`);
  // answers are kept under it: one that is another's would be answered with that one's
  if (executable !== executableOf(engine, files, options)) throw hostile(`the executable of ${of} is not that of its files`);
  if (blob !== blobs[0] || blobs.length !== files.length || files.some(({ sha256 }, at) => blobs[at]?.slice(0, 64) !== sha256))
    throw hostile(`${of} lies in blobs of others`);
}

function refuseMetadata(of: string, metadata: unknown): void {
  try {
    checked(ModelMetadata, metadata, 'metadata');
  } catch (error) {
    if (!hasCode(error, 'MALFORMED_BODY')) throw error;
    throw hostile(`of ${of} ${(error as Error).message}`);
  }
}

function sizesOf({ objects }: SnapshotManifest): ReadonlyMap<string, number> {
  return new Map(objects.flatMap(({ kind, sha256, bytes }) => (kind === 'blob' ? [[sha256, bytes] as const] : [])));
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
