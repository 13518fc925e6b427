import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { BackupKey } from './backup-key';
import { decrypted, encrypted, encryptedBytes } from './object-cipher';

const PIECE = 65_536;

/** Bytes in one buffer that is filled again and again, as a store reads them. */
async function* inOneBuffer(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  const one = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) {
    const piece = one.subarray(0, Math.min(size, bytes.length - at));
    piece.set(bytes.subarray(at, at + size));
    yield piece;
    one.fill(0);
  }
}

it.each([0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 17])(
  'of %d bytes come the same ones again, however they are cut',
  async (size) => {
    const key = new BackupKey(randomBytes(32));
    const bytes = randomBytes(size);
    const of = { kind: 'blob', sha256: 'a'.repeat(64) } as const;
    for (const cut of [PIECE, 1000, PIECE + 1, 5 * PIECE]) {
      const kept = await buffer(encrypted(inOneBuffer(bytes, cut), key, of));
      expect(kept).toHaveLength(encryptedBytes(size));
      expect((await buffer(decrypted(inOneBuffer(kept, cut), key, of))).equals(bytes)).toBe(true);
    }
  },
);
