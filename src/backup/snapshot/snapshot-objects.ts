import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
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
   * The plain bytes of an object of a manifest, checked while they are read: the stream fails where they are not what was promised.
   * @throws SnapshotDamaged, BackupKeyWrong, BackupKeyRefused
   */
  async open(object: SnapshotObject, encryption?: SnapshotManifest['encryption']): Promise<Readable> {
    const key = encryption && (await this.seal.keyNamed(encryption.keyId));
    const stored = await this.blobs.open(object.stored).catch((error: unknown) => {
      // there may be a file where a folder belongs
      throw hasCode(error, 'BLOB_MISSING', 'ENOTDIR')
        ? new SnapshotDamaged(`The object ${object.path}`, 'it is not there', { cause: error })
        : error;
    });
    const limited = exactly(stored, object.path, object.storedBytes);
    const content = Readable.from(checked(key === undefined ? limited : decrypted(limited, key, object), object), { objectMode: false });
    return content.once('close', () => stored.destroy()); // also where nobody has read from it yet
  }
}

/** Stops at once where more comes than was declared. @throws SnapshotDamaged */
async function* exactly(source: AsyncIterable<unknown>, path: string, declared: number): AsyncIterable<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > declared) throw new SnapshotDamaged(`The object ${path}`, `it has more than ${declared} bytes`);
    yield chunk as Uint8Array;
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
