import { createHash, type Hash } from 'node:crypto';
import { hasCode } from '../../errors/has-code';
import type { BackupBlobs, BlobName } from '../../storage/blob-store.port';
import type { BackupHistory } from './backup-history';
import type { BackupKey } from './backup-key';
import type { Scan } from './backup-repository';
import { encrypted, encryptedBytes } from './object-cipher';
import { checkSignature } from './snapshot-seal';
import { Refusal } from './snapshot-failure';
import { type EventsObject, SEGMENT, type SnapshotManifest, type SnapshotObject } from './snapshot-manifest';
import type { SnapshotManifests } from './snapshot-manifests';

/** Of how many snapshots, the newest first, objects are used again; what only older ones have is copied once more. */
const LOOKED_AT = 32;

/** What is copied: its bytes are known before they are read. */
export type Wanted = Pick<SnapshotObject, 'kind' | 'path' | 'sha256' | 'bytes'>;

/** Where it lies then. */
export type Kept = Pick<SnapshotObject, 'stored' | 'storedBytes'>;

/**
 * Takes objects into `backups/`, each once. What a finished snapshot names was durable before its event, so it is used again without a
 * look at its bytes; whatever else lies there, of a backup that was cut off for instance, is written as if it were new.
 */
export class ObjectIntake {
  private readonly known = new Map<string, Kept>();
  private readonly believed: SnapshotManifest[] = [];
  /** What was written, as stored. */
  newBytes = 0;
  /** Blobs that were found damaged before, and are good again. */
  readonly healed: BlobName[] = [];

  /** @param key what encrypts; absent: objects are stored as they are */
  constructor(
    private readonly blobs: BackupBlobs,
    private history: BackupHistory,
    private readonly key?: BackupKey,
  ) {}

  /** Learns from finished snapshots what is there. A manifest that cannot be believed, or is of another key, teaches nothing. */
  async learn(manifests: SnapshotManifests, scan: Scan, signing: BackupKey | undefined): Promise<void> {
    const newest = [...this.history.snapshots.keys()].reverse().slice(0, LOOKED_AT);
    for (const id of newest) {
      const manifest = await ifBelieved(manifests.trusted(id, this.history), signing);
      if (manifest === undefined || manifest.encryption?.keyId !== this.key?.id) continue;
      this.believed.push(manifest);
      for (const { kind, sha256, stored, storedBytes } of manifest.objects) {
        const usable = scan.get(stored) === storedBytes && this.stands(stored) && !this.history.suspects.has(stored);
        if (usable) this.known.set(`${kind} ${sha256}`, { stored, storedBytes });
      }
    }
  }

  /** Where an object lies already. */
  find({ kind, sha256 }: Pick<SnapshotObject, 'kind' | 'sha256'>): Kept | undefined {
    return this.known.get(`${kind} ${sha256}`);
  }

  /** The full segments of a history, from its first event on, that need be neither read nor written again. */
  fullSegments(lineage: string, upTo: number): readonly EventsObject[] {
    const full: EventsObject[] = [];
    for (const object of this.believed.find((manifest) => manifest.lineage === lineage)?.objects ?? []) {
      if (object.kind !== 'events') continue;
      const kept = this.find(object);
      if (kept === undefined || object.last - object.first + 1 < SEGMENT || object.last > upTo) break;
      full.push({ ...object, ...kept });
    }
    return full;
  }

  /** Forgets what was condemned since. @returns whether there was anything of it among what a manifest names */
  refresh(history: BackupHistory, objects: readonly Kept[]): boolean {
    this.history = history;
    for (const [key, { stored }] of this.known) if (!this.stands(stored)) this.known.delete(key);
    return objects.every(({ stored }) => this.stands(stored));
  }

  /**
   * Makes an object durable.
   * @param open its plain bytes; read only where they are not there yet
   * @throws Refusal where they are not what was wanted: then nothing is stored; NoSpace; the error of the source
   */
  async keep(wanted: Wanted, open: () => AsyncIterable<Uint8Array>): Promise<Kept> {
    const there = this.find(wanted);
    if (there !== undefined) return there;
    const { bytes, sha256 } = wanted;
    // the store hashes what it takes in: only what is encrypted on the way is hashed before
    const staged = await (this.key === undefined
      ? this.blobs.stage(exactly(open(), wanted), bytes)
      : this.blobs.stage(encrypted(exactly(open(), wanted, createHash('sha256')), this.key, wanted), encryptedBytes(bytes)));
    try {
      if (this.key === undefined && staged.digest !== sha256) throw notWanted(wanted);
      const stored = this.history.blobName(staged.digest);
      await this.blobs.put(staged, stored);
      const kept = { stored, storedBytes: staged.bytes };
      this.known.set(`${wanted.kind} ${wanted.sha256}`, kept);
      this.newBytes += staged.bytes;
      if (this.history.suspects.has(stored)) this.healed.push(stored);
      return kept;
    } finally {
      await staged.discard();
    }
  }

  private stands(stored: BlobName): boolean {
    return this.history.blobName(stored.slice(0, 64)) === stored;
  }
}

async function ifBelieved(manifest: Promise<SnapshotManifest>, key: BackupKey | undefined): Promise<SnapshotManifest | undefined> {
  try {
    const found = await manifest;
    // whoever can write there, and has no key, must not choose which bytes the next snapshot signs for
    checkSignature(found, key, true);
    return found;
  } catch (error) {
    if (hasCode(error, 'SNAPSHOT_DAMAGED', 'SNAPSHOT_NEWER', 'SNAPSHOT_FORGED', 'BACKUP_KEY_WRONG')) return undefined;
    throw error;
  }
}

/** Hands on what is wanted, and fails before its end where it is more or less of it, or, with a hash, anything else. */
async function* exactly(source: AsyncIterable<Uint8Array>, wanted: Wanted, hash?: Hash): AsyncIterable<Uint8Array> {
  let read = 0;
  for await (const chunk of source) {
    hash?.update(chunk);
    read += chunk.length;
    if (read > wanted.bytes) break;
    yield chunk;
  }
  if (read !== wanted.bytes || (hash !== undefined && hash.digest('hex') !== wanted.sha256)) throw notWanted(wanted);
}

function notWanted({ path }: Wanted): Refusal {
  const detail = `the bytes of ${path} are not what its name promises: upload the file again, or delete its version`;
  return new Refusal('registry-damaged', detail, [path]);
}
