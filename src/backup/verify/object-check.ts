import { createHash } from 'node:crypto';
import { hasCode } from '../../errors/has-code';
import { type BlobStore, LOST } from '../../storage/blob-store.port';
import type { BackupKey } from '../snapshot/backup-key';
import { decrypted } from '../snapshot/object-cipher';
import type { SnapshotObject } from '../snapshot/snapshot-manifest';
import type { Problem } from './verify-report';

/** What was found when an object was read whole. */
export interface ReadOutcome {
  readonly bytesRead: number;
  readonly problem?: Problem;
  readonly detail?: string;
}

/** Reads every byte of an object and holds it against both its names. @param hear gets the plain bytes on the way, believed or not */
export async function readObject(
  blobs: BlobStore,
  object: SnapshotObject,
  key: BackupKey | undefined,
  hear: (chunk: Uint8Array) => Promise<void> | void,
): Promise<ReadOutcome> {
  const stored = createHash('sha256');
  const plain = createHash('sha256');
  let bytesRead = 0;
  const counted = async function* (): AsyncIterable<Uint8Array> {
    for await (const chunk of blobs.read(object.stored)) {
      bytesRead += chunk.length;
      stored.update(chunk);
      yield chunk;
      if (bytesRead > object.storedBytes) return; // what grew is not read to its end
    }
  };
  try {
    for await (const chunk of key === undefined ? counted() : decrypted(counted(), key, object)) {
      if (key !== undefined) plain.update(chunk);
      await hear(chunk);
    }
  } catch (error) {
    const [problem, detail] = problemOf(error);
    return { bytesRead, problem, detail };
  }
  const digest = stored.digest('hex');
  const sound = object.stored.startsWith(digest) && (key === undefined ? digest : plain.digest('hex')) === object.sha256;
  return sound ? { bytesRead } : { bytesRead, problem: 'digest', detail: 'its bytes are not those that were stored' };
}

function problemOf(error: unknown): readonly [Problem, string] {
  if (hasCode(error, 'BLOB_MISSING')) return ['missing', 'it is not there'];
  if (hasCode(error, 'SNAPSHOT_DAMAGED')) return ['digest', (error as Error).message];
  if (hasCode(error, ...LOST)) return ['unreadable', (error as Error).message];
  throw error;
}
