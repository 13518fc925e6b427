import { modelName } from '../../models/model-name';
import { LOG_START } from '../../storage/event-log.port';
import { parseJson } from '../../wire/strict-json';
import { type Check, faultIn, has, isCount, isDigest, isFilePath, isText, isTime, listOf, type Members } from './json-shape';
import { encryptedBytes } from './object-cipher';
import { type EventsObject, FORMAT, formatManifest, SEGMENT, type SnapshotManifest, type SnapshotObject } from './snapshot-manifest';
import { SnapshotDamaged, SnapshotNewer } from './snapshot.errors';
import { isSnapshotId, TRIGGERS } from './snapshot-records';

/** No manifest is larger. */
export const MAX_MANIFEST_BYTES = 64 * 2 ** 20;
const RULES = { maxDepth: 20, maxKeys: 64 };

const isKeyId: Check = (value) => isText(value, /^[0-9a-f]{16}$/);
const isBlobName: Check = (value) => isText(value, /^[0-9a-f]{64}(\.[1-9][0-9]{0,15})?$/);
const isWord: Check = (value) => isText(value, /^[\x20-\x7e]{1,128}$/);
const isId: Check = (value) => typeof value === 'string' && isSnapshotId(value);
const isModel: Check = (value) => typeof value === 'string' && isModelName(value);

const OBJECT: Members = { kind: isWord, path: isWord, sha256: isDigest, bytes: isCount, stored: isBlobName, storedBytes: isCount };
const EVENTS: Members = { ...OBJECT, first: isCount, last: isCount, previous: isDigest, head: isDigest };
const isObject: Check = (value) => (isKind(value, 'blob') ? has(value, OBJECT) : isKind(value, 'events') && has(value, EVENTS));
const isVersion: Check = (value) =>
  has(value, {
    version: isCount,
    stage: isWord,
    digest: isDigest,
    files: listOf((file) => has(file, { path: isFilePath, sha256: isDigest })),
  });
const isSummary: Check = (value) =>
  has(value, { name: isModel, production: (version) => version === null || isCount(version), versions: listOf(isVersion) });

const REQUIRED: Members = {
  format: isCount,
  tool: (value) => has(value, { name: isWord, version: isWord }),
  id: isId,
  createdAt: isTime,
  trigger: (value) => (TRIGGERS as readonly unknown[]).includes(value),
  lineage: isWord,
  seq: isCount,
  head: isDigest,
  objects: listOf(isObject),
};
const OPTIONAL: Members = {
  parent: (value) => has(value, { id: isId, manifest: isDigest }),
  encryption: (value) => has(value, { cipher: (cipher) => cipher === 'aes-256-gcm', keyId: isKeyId }),
  models: listOf(isSummary),
  signature: (value) => has(value, { keyId: isKeyId, hmac: isDigest }),
};

/**
 * Reads a manifest that anybody may have written: nothing in it is believed but what its form and its own sums bear out.
 * @throws SnapshotNewer, SnapshotDamaged
 */
export function readManifest(bytes: Uint8Array): SnapshotManifest {
  if (bytes.length > MAX_MANIFEST_BYTES) throw refused(`it has more than ${MAX_MANIFEST_BYTES} bytes`);
  const value = parsed(bytes);
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  if (typeof format === 'number' && format > FORMAT) throw new SnapshotNewer(`its manifest has format ${format}`, `format ${FORMAT}`);
  if (format !== FORMAT) throw refused('it is no manifest of a snapshot');
  const fault = faultIn(value, REQUIRED, OPTIONAL);
  if (fault !== undefined) throw refused(`its member ${fault} is not what it must be`);
  const manifest = value as SnapshotManifest;
  refuseContradiction(manifest);
  if (!formatManifest(manifest).equals(bytes)) throw refused('it is not canonical JSON (RFC 8785)');
  return manifest;
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes, RULES);
  } catch (cause) {
    throw refused('it is no JSON, or not one that means the same to every reader', cause);
  }
}

function refuseContradiction({ objects, encryption, seq, head }: SnapshotManifest): void {
  for (const [at, object] of objects.entries()) {
    const { path, sha256, bytes, stored, storedBytes } = object;
    const before = objects[at - 1];
    if (before !== undefined && before.path >= path) throw refused(`its object ${path} is not in order, or there twice`);
    if (path !== pathOf(object)) throw refused(`its object ${path} does not lie where such an object lies`);
    const plain = encryption === undefined;
    if (storedBytes !== (plain ? bytes : encryptedBytes(bytes))) throw refused(`its object ${path} cannot have that size`);
    if (plain && stored.slice(0, 64) !== sha256) throw refused(`its object ${path} cannot be stored under that name`);
  }
  refuseGap(
    objects.filter((object) => object.kind === 'events'),
    seq,
    head,
  );
}

/** The events are all there, from the first to the last, each segment chained to the one before. */
function refuseGap(segments: readonly EventsObject[], seq: number, head: string): void {
  let last = { seq: LOG_START.seq, hash: LOG_START.hash };
  for (const segment of segments) {
    const events = segment.last - segment.first + 1;
    const follows = segment.first === last.seq + 1 && segment.previous === last.hash;
    const ends = events === SEGMENT || (events > 0 && events < SEGMENT && segment.last === seq); // only the last one may be shorter
    if (!follows || !ends) throw refused(`its events ${segment.first} to ${segment.last} do not fit`);
    last = { seq: segment.last, hash: segment.head };
  }
  if (last.seq !== seq || last.hash !== head) throw refused('its events are not all there');
}

/** Where an object lies in a registry: the only path that it can have. */
export function pathOf(
  object: Pick<SnapshotObject, 'kind' | 'path' | 'sha256'> & { readonly first?: number; readonly last?: number },
): string {
  if (object.kind === 'events') return segmentPath(object.first ?? 0, object.last ?? 0);
  const suffix = /\.[1-9][0-9]{0,15}$/.exec(object.path)?.[0] ?? '';
  return blobPath(object.sha256 + suffix);
}

/** @param name of a blob of the registry */
export function blobPath(name: string): string {
  return `blobs/sha256/${name.slice(0, 2)}/${name}`;
}

/** Of a segment of the log, as one file of lines. */
export function segmentPath(first: number, last: number): string {
  return `log/${digits(first)}-${digits(last)}.jsonl`;
}

function digits(seq: number): string {
  return String(seq).padStart(20, '0');
}

function refused(reason: string, cause?: unknown): SnapshotDamaged {
  return new SnapshotDamaged('The manifest', reason, cause === undefined ? undefined : { cause });
}

function isModelName(text: string): boolean {
  try {
    return modelName(text, 'name') === text;
  } catch {
    return false;
  }
}

function isKind(value: unknown, kind: SnapshotObject['kind']): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind;
}
