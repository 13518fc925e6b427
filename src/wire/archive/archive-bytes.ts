import type { FileHandle } from 'node:fs/promises';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ArchiveRefused } from '../wire.errors';

const CHUNK_BYTES = 65_536;

/** The decompressors of `node:zlib`, and how many bytes they have used up. */
type Decompressor = Transform & { readonly bytesWritten: number };

/** The bytes of an open file from `start` up to `end`. The file stays open: it is its opener's. */
export async function* slice(file: FileHandle, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end;) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - at)), 0, null, at);
    if (bytesRead === 0) throw new ArchiveRefused('archive', 'a file that does not shrink', 'its end came early');
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/**
 * Decompresses `source`, all of it: what stands behind the end of the compressed data is refused.
 * @param bytes how many bytes `source` has  @throws ArchiveRefused
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  bytes: number,
  engine: Decompressor,
  entry: string,
): AsyncGenerator<Uint8Array> {
  const pumping = pipeline(source, engine).catch(() => {}); // it fails the engine too, which is read here
  try {
    for await (const chunk of engine) yield chunk as Uint8Array;
    if (engine.bytesWritten !== bytes) {
      throw new ArchiveRefused(entry, 'nothing behind the compressed data', `${bytes - engine.bytesWritten} bytes`);
    }
  } finally {
    engine.destroy();
    await pumping;
  }
}
