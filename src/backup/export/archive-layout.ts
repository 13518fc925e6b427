import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import canonicalize from 'canonicalize';
import type { ModelRecord, VersionRecord } from '../../models/registry/registry-records';
import type { RegistryState } from '../../models/registry/registry-state';
import { lasting } from '../../storage/pieces';
import type { PackedFile } from '../../wire/archive/pack-archive';
import type { ReadObject } from '../snapshot/log-replay';
import { type BlobObject, formatManifest, type SnapshotManifest, type SnapshotObject } from '../snapshot/snapshot-manifest';
import { registryText } from './registry-text';

/** One file of an archive, and what it must come to. */
interface SummedFile extends PackedFile {
  readonly sha256: string;
}

const SUMS = 'SHA256SUMS';
const SAFE_PART = /^[^/\\\p{Cc}]+$/u;

/**
 * The files of a snapshot's archive: models under their names and versions, every other blob by its digest, the log, the snapshot's
 * manifest byte for byte, and `SHA256SUMS`, by which each object of the manifest is found again.
 */
export function archiveFiles(manifest: SnapshotManifest, state: RegistryState, read: ReadObject): readonly PackedFile[] {
  const blobs = new Map(manifest.objects.flatMap((object) => (object.kind === 'blob' ? [[object.sha256, object] as const] : [])));
  const versions = versionFiles(state, blobs, read);
  const named = new Set(versions.map(({ sha256 }) => sha256));
  const files = [
    ...versions,
    ...[...blobs.values()].filter(({ sha256 }) => !named.has(sha256)).map((blob) => fileOf(`blobs/${blob.sha256}`, blob, read)),
    ...manifest.objects.flatMap((object) => (object.kind === 'events' ? [fileOf(object.path, object, read)] : [])),
    textFile('registry.json', () => registryText(manifest, state)),
    textFile('snapshot.json', () => formatManifest(manifest)),
    textFile('README.txt', () => readme(manifest)),
  ];
  return [...files, textFile(SUMS, () => sumsOf(files))];
}

/** As `sha256sum -c` reads it. A name with a backslash or a line break would need marks of its own: there is none. */
function sumsOf(files: readonly SummedFile[]): string {
  const lines = files.map(({ sha256, path }) => `${sha256}  ${path}\n`);
  return lines.sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1)).join('');
}

/** The files of every version, of deleted ones too as far as the snapshot has them, and what was said with each. */
function versionFiles(state: RegistryState, blobs: ReadonlyMap<string, BlobObject>, read: ReadObject): readonly SummedFile[] {
  return [...state.list(), ...state.listDeleted()].flatMap((model) => {
    const living = [...model.versions.values()].flatMap((version) => filesOf('models', version, model, blobs, read));
    const deleted = [...model.deletedVersions.values()].flatMap(({ record }) => filesOf('deleted', record, model, blobs, read));
    return [...living, ...deleted];
  });
}

function filesOf(
  top: string,
  { version, manifest }: VersionRecord,
  { name }: ModelRecord,
  blobs: ReadonlyMap<string, BlobObject>,
  read: ReadObject,
): readonly SummedFile[] {
  const folder = `${top}/${name}/${version}`;
  const files = manifest.files.flatMap(({ path, sha256 }) => {
    const blob = blobs.get(sha256);
    const target = `${folder}/${path}`;
    return blob === undefined || !isSafe(target) ? [] : [fileOf(target, blob, read)];
  });
  if (files.length === 0) return []; // its bytes were collected before the snapshot; the log still tells of it
  return [
    ...files,
    textFile(`${folder}.manifest.json`, () => canonicalize(manifest) as string), // beside the folder: a file in it may have any name
    textFile(`${folder}.metadata.json`, () => `${JSON.stringify(manifest.metadata, null, 2)}\n`),
  ];
}

function fileOf(path: string, object: SnapshotObject, read: ReadObject): SummedFile {
  return {
    path,
    bytes: object.bytes,
    sha256: object.sha256,
    open: () => Promise.resolve(Readable.from(lasting(read(object)), { objectMode: false })),
  };
}

/** Made when it is needed, and once before for its size and sum: not all of them are held at once. */
function textFile(path: string, text: () => string | Buffer): SummedFile {
  const bytes = Buffer.from(text());
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { path, bytes: bytes.length, sha256, open: () => Promise.resolve(Readable.from([Buffer.from(text())], { objectMode: false })) };
}

/** Whether a path of the log stays in its folder wherever the archive is unpacked. What is not safe lies under `blobs/`. */
function isSafe(path: string): boolean {
  return path.split('/').every((part) => SAFE_PART.test(part) && part !== '.' && part !== '..');
}

function readme({ id, createdAt, seq, tool }: SnapshotManifest): string {
  return `The snapshot ${id} of a model registry, as it was at ${createdAt}, after its event ${seq}.

models/<name>/<version>/…            the files of every version as they were uploaded
models/<name>/<version>.metadata.json  what was said with them; .manifest.json is what the version's digest is the SHA-256 of
deleted/…                            the same of versions that were deleted and could still come back
blobs/                               other bytes that the registry needs
registry.json                        what stood where: stages, aliases, descriptions
log/                                 every event of the registry, one a line
snapshot.json                        the manifest of the snapshot
SHA256SUMS                           sha256sum -c SHA256SUMS

Written by ${tool.name}, which restores from it.
`;
}
