import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { hasCode } from '../errors/has-code';

/** How a disk says that it has lost bytes: a sector that cannot be read, a checksum of the file system that does not hold. */
export const LOST = ['EIO', 'EBADMSG', 'EUCLEAN'];

/** What a blob is called: the SHA-256 of its bytes (64 hex digits), or `<64 hex>.<n>` where event n had condemned that name before. */
export type BlobName = string;

/** A name and a size in bytes. */
export interface BlobInfo {
  readonly name: BlobName;
  readonly bytes: number;
}

/** A blob as a list tells it. */
export interface ListedBlob extends BlobInfo {
  /** When the bytes were written: milliseconds since 1970, by the store's own clock. */
  readonly writtenAt: number;
}

/** Bytes that have arrived and are hashed, but are not in the store yet. Whoever staged them discards them, stored or not. */
export interface StagedBlob {
  /** SHA-256 of the bytes, 64 hex digits. */
  readonly digest: string;
  readonly bytes: number;
  /** A local file with these bytes, readable until `discard`. */
  readonly path: string;
  discard(): Promise<void>;
}

/** A stored blob as a local file, for an engine that loads from a path; readable until `release`. */
export interface LocalBlob {
  readonly path: string;
  release(): Promise<void>;
}

/**
 * Immutable bytes under their own digest. A name is taken once and never written again, so a reader never sees half a blob and a
 * backup never races a writer. Every adapter passes `test/contracts/blob-store.contract.ts`.
 */
export abstract class BlobStore {
  /**
   * Takes in all of `source`, hashing on the way, or nothing at all.
   * @throws SourceTooLarge beyond `maxBytes`; NoSpace; the error of `source`, unchanged, where the source fails
   */
  abstract stage(source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<StagedBlob>;

  /**
   * Makes staged bytes durable under `name`. When it returns they survive a power cut. A name that is taken is checked, not
   * trusted: where the bytes there are damaged they are moved to quarantine and replaced by the good ones.
   * @param name default: the digest of the bytes
   * @throws NoSpace
   */
  abstract put(staged: StagedBlob, name?: BlobName): Promise<BlobInfo>;

  /**
   * Holds on to stored bytes as if they had just arrived: whatever becomes of the name, they stay until they are discarded.
   * @throws BlobMissing also where they are not what the name promises
   */
  abstract retain(name: BlobName): Promise<StagedBlob>;

  /** @throws BlobMissing */
  abstract open(name: BlobName): Promise<Readable>;

  /**
   * For who reads many bytes and keeps none: all pieces lie in one buffer, each until the next is asked for. A stream's fresh buffers have
   * the collector stop the whole process, some milliseconds for every seven megabytes.
   * @throws BlobMissing when the first is asked for
   */
  abstract read(name: BlobName): AsyncIterable<Uint8Array>;

  /** @throws BlobMissing */
  abstract local(name: BlobName): Promise<LocalBlob>;

  /** Every blob, in the order of names. What is no blob is passed over. */
  abstract list(): AsyncIterable<ListedBlob>;

  /** Reads a blob whole. @returns whether its bytes are what its name promises; no where the disk has lost them @throws BlobMissing */
  async verify(name: BlobName): Promise<boolean> {
    try {
      const hash = createHash('sha256');
      for await (const chunk of this.read(name)) hash.update(chunk);
      return name.startsWith(hash.digest('hex'));
    } catch (error) {
      if (hasCode(error, ...LOST)) return false;
      throw error;
    }
  }

  /** Takes a damaged blob out of service, and keeps its bytes for people. @throws BlobMissing */
  abstract quarantine(name: BlobName): Promise<void>;

  /** Removing what is not there is no error: a collection may be repeated. */
  abstract remove(name: BlobName): Promise<void>;
}

/** The blobs of the registry. */
export abstract class ModelBlobs extends BlobStore {}

/** The objects of all snapshots: what `backups/` holds. */
export abstract class BackupBlobs extends BlobStore {}
