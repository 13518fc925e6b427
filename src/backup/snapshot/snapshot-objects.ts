import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { hasCode } from '../../errors/has-code';
import { BackupBlobs } from '../../storage/blob-store.port';
import { decrypted } from './object-cipher';
import type { SnapshotManifest, SnapshotObject } from './snapshot-manifest';
import { SnapshotSeal } from './snapshot-seal';
import { SnapshotDamaged } from './snapshot.errors';

/** Gives out what snapshots hold, as it was when it was taken. */
@Injectable()
export class SnapshotObjects {
  constructor(
    private readonly blobs: BackupBlobs,
    private readonly seal: SnapshotSeal,
  ) {}

  /**
   * The plain bytes of an object of a manifest, each piece until the next is asked for, checked on the way: the last one is followed by an
   * error where they were not what was promised.
   * @throws SnapshotDamaged, BackupKeyWrong, BackupKeyRefused
   */
  async *read(object: SnapshotObject, encryption?: SnapshotManifest['encryption']): AsyncIterable<Uint8Array> {
    const key = encryption && (await this.seal.keyNamed(encryption.keyId));
    const stored = exactly(this.stored(object), object.path, object.storedBytes);
    yield* checked(key === undefined ? stored : decrypted(stored, key, object), object);
  }

  private async *stored({ path, stored }: SnapshotObject): AsyncIterable<Uint8Array> {
    try {
      yield* this.blobs.read(stored);
    } catch (error) {
      // there may be a file where a folder belongs
      throw hasCode(error, 'BLOB_MISSING', 'ENOTDIR')
        ? new SnapshotDamaged(`The object ${path}`, 'it is not there', { cause: error })
        : error;
    }
  }
}

/** Stops at once where more comes than was declared. @throws SnapshotDamaged */
async function* exactly(source: AsyncIterable<Uint8Array>, path: string, declared: number): AsyncIterable<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > declared) throw new SnapshotDamaged(`The object ${path}`, `it has more than ${declared} bytes`);
    yield chunk;
  }
  if (bytes < declared) throw new SnapshotDamaged(`The object ${path}`, `it has ${bytes} bytes, not ${declared}`);
}

async function* checked(source: AsyncIterable<Uint8Array>, { path, sha256 }: SnapshotObject): AsyncIterable<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest('hex') !== sha256) throw new SnapshotDamaged(`The object ${path}`, 'its bytes are not those that were stored');
}
