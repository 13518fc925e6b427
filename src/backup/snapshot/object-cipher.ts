import { createCipheriv, createDecipheriv, type DecipherGCM, randomBytes } from 'node:crypto';
import type { BackupKey } from './backup-key';
import type { SnapshotObject } from './snapshot-manifest';
import { SnapshotDamaged } from './snapshot.errors';

/** What an encrypted object begins with: the form of what follows. */
const MAGIC = Buffer.from('aapi-gcm1\n');
const SALT_BYTES = 32;
const TAG_BYTES = 16;
/** A stream is encrypted in pieces of this size, so that none of it is believed before it was checked, and memory is bounded. */
const PIECE_BYTES = 65_536;
const HEAD_BYTES = MAGIC.length + SALT_BYTES;
const ALGORITHM = 'aes-256-gcm';

/** What an object is; whoever moves its bytes under another name gets nothing out of them. */
type Identity = Pick<SnapshotObject, 'kind' | 'sha256'>;

/** How many bytes `encrypted` makes of that many. */
export function encryptedBytes(bytes: number): number {
  return HEAD_BYTES + bytes + TAG_BYTES * Math.max(1, Math.ceil(bytes / PIECE_BYTES));
}

/**
 * Encrypts a stream: a salt by chance, from which the object's own key is made, and pieces, each with its place, and whether it is the
 * last one, as its nonce: pieces cannot change places, and none can be left off.
 */
export async function* encrypted(source: AsyncIterable<Uint8Array>, key: BackupKey, of: Identity): AsyncIterable<Uint8Array> {
  const salt = randomBytes(SALT_BYTES);
  const objectKey = key.objectKey(salt);
  yield Buffer.concat([MAGIC, salt]);
  for await (const { piece, at, last } of pieces(source, PIECE_BYTES)) {
    const cipher = createCipheriv(ALGORITHM, objectKey, nonce(at, last));
    cipher.setAAD(identity(of));
    yield Buffer.concat([cipher.update(piece), cipher.final(), cipher.getAuthTag()]);
  }
}

/** What `encrypted` was given. @throws SnapshotDamaged at the first piece that is not what was encrypted with this key for this object */
export async function* decrypted(source: AsyncIterable<Uint8Array>, key: BackupKey, of: Identity): AsyncIterable<Uint8Array> {
  const { salt, rest } = await split(source, of);
  const objectKey = key.objectKey(salt);
  for await (const { piece, at, last } of pieces(rest, PIECE_BYTES + TAG_BYTES)) {
    const decipher = createDecipheriv(ALGORITHM, objectKey, nonce(at, last), { authTagLength: TAG_BYTES });
    if (piece.length < TAG_BYTES) throw damaged(of);
    decipher.setAAD(identity(of));
    decipher.setAuthTag(piece.subarray(-TAG_BYTES));
    yield opened(decipher, piece.subarray(0, -TAG_BYTES), of);
  }
}

function opened(decipher: DecipherGCM, bytes: Uint8Array, of: Identity): Buffer {
  try {
    return Buffer.concat([decipher.update(bytes), decipher.final()]);
  } catch (cause) {
    throw damaged(of, cause);
  }
}

function damaged({ sha256 }: Identity, cause?: unknown): SnapshotDamaged {
  return new SnapshotDamaged(`The object ${sha256}`, 'it is not what was encrypted for this object with this key', { cause });
}

function identity({ kind, sha256 }: Identity): Buffer {
  return Buffer.from(`${kind} ${sha256}`);
}

function nonce(at: number, last: boolean): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUIntBE(at, 1, 6);
  bytes[11] = last ? 1 : 0;
  return bytes;
}

interface Piece {
  readonly piece: Buffer;
  readonly at: number;
  readonly last: boolean;
}

/** Cuts a stream into pieces of one size, the last one shorter, or empty where there is nothing at all; each is good until the next is asked for. */
async function* pieces(source: AsyncIterable<Uint8Array>, size: number): AsyncIterable<Piece> {
  const piece = Buffer.allocUnsafe(size);
  let filled = 0;
  let at = 0;
  for await (const chunk of source) {
    for (let taken = 0; taken < chunk.length;) {
      if (filled === size) yield { piece, at: at++, last: false }; // not before there is more: a full one may be the last
      filled %= size;
      const more = chunk.subarray(taken, taken + size - filled);
      piece.set(more, filled);
      filled += more.length;
      taken += more.length;
    }
  }
  yield { piece: piece.subarray(0, filled), at, last: true };
}

/** Takes the head off a stream. @throws SnapshotDamaged where it has none */
async function split(
  source: AsyncIterable<Uint8Array>,
  { sha256 }: Identity,
): Promise<{ readonly salt: Buffer; readonly rest: AsyncIterable<Uint8Array> }> {
  const chunks = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
    head = Buffer.concat([head, next.value]);
    if (head.length >= HEAD_BYTES) break;
  }
  if (head.length < HEAD_BYTES || !head.subarray(0, MAGIC.length).equals(MAGIC)) {
    await chunks.return?.();
    throw new SnapshotDamaged(`The object ${sha256}`, 'it does not begin as an encrypted one does');
  }
  return { salt: head.subarray(MAGIC.length, HEAD_BYTES), rest: continued(head.subarray(HEAD_BYTES), chunks) };
}

async function* continued(first: Uint8Array, chunks: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    yield first;
    for (;;) {
      const next = await chunks.next();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await chunks.return?.(); // closes the file
  }
}
