import canonicalize from 'canonicalize';
import type { BlobName } from '../../storage/blob-store.port';
import type { SnapshotId, Trigger } from './snapshot-records';

/** The form of manifests that this version writes. One that is greater was written by a newer version, and is refused. */
export const FORMAT = 1;

/** How many events of the registry's log are one object. */
export const SEGMENT = 1000;

/** Something that a snapshot holds. Its name in the snapshot is `path`; what it is called among the blobs of `backups/` is `stored`. */
interface AnyObject {
  /** Where its bytes lie in a registry (a segment of the log, as one file). */
  readonly path: string;
  /** SHA-256 of its bytes, 64 hex digits, also where they are stored encrypted. */
  readonly sha256: string;
  readonly bytes: number;
  /** The blob of `backups/` that holds it: `sha256` itself, or where that blob is encrypted the SHA-256 of the stored bytes. */
  readonly stored: BlobName;
  readonly storedBytes: number;
}

/** A blob of the registry. */
export interface BlobObject extends AnyObject {
  readonly kind: 'blob';
}

/** Up to 1 000 events of the registry's log, one a line, byte for byte. A full one never changes. */
export interface EventsObject extends AnyObject {
  readonly kind: 'events';
  /** Numbers of the first and the last event. */
  readonly first: number;
  readonly last: number;
  /** Hash of the event before the first, and of the last one. */
  readonly previous: string;
  readonly head: string;
}

/** Something that a snapshot holds. */
export type SnapshotObject = BlobObject | EventsObject;

/** A model, for people who look for the state of yesterday. */
export interface ModelSummary {
  readonly name: string;
  /** The version in production. */
  readonly production: number | null;
  readonly versions: readonly VersionSummary[];
}

/** A version and where the files of its artifact lie. */
export interface VersionSummary {
  readonly version: number;
  readonly stage: string;
  readonly digest: string;
  readonly files: readonly { readonly path: string; readonly sha256: string }[];
}

/** All of a snapshot: what the registry was at event `seq`. Stored as canonical JSON (RFC 8785). */
export interface SnapshotManifest {
  readonly format: number;
  /** What wrote it. */
  readonly tool: { readonly name: string; readonly version: string };
  readonly id: SnapshotId;
  readonly createdAt: string;
  readonly trigger: Trigger;
  readonly lineage: string;
  readonly seq: number;
  /** Hash of event `seq`. */
  readonly head: string;
  /** The snapshot before it, and the SHA-256 of its manifest. */
  readonly parent?: { readonly id: SnapshotId; readonly manifest: string };
  /** Which key encrypted the objects; absent: they are stored as they are. */
  readonly encryption?: { readonly cipher: 'aes-256-gcm'; readonly keyId: string };
  /** In the order of paths. */
  readonly objects: readonly SnapshotObject[];
  /** Absent where the objects are encrypted: names are nobody's business then. */
  readonly models?: readonly ModelSummary[];
  /** HMAC-SHA-256 over the canonical JSON of everything else; absent: the snapshot is not signed. */
  readonly signature?: { readonly keyId: string; readonly hmac: string };
}

/** As it is stored. */
export function formatManifest(manifest: SnapshotManifest): Buffer {
  return Buffer.from(canonicalize(manifest) as string);
}

/** Of all objects, before encryption. */
export function bytesOf({ objects }: Pick<SnapshotManifest, 'objects'>): number {
  return objects.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** The blobs of `backups/` that a snapshot needs; that of its manifest (`history.manifestBlob`) is not among them. */
export function storedNames({ objects }: Pick<SnapshotManifest, 'objects'>): ReadonlySet<BlobName> {
  return new Set(objects.map(({ stored }) => stored));
}
