import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';

/** One file that goes into an archive. */
export interface PackedFile {
  /** Relative, with slashes. */
  readonly path: string;
  /** What `open` will give, exactly. */
  readonly bytes: number;
  open(): Promise<Readable>;
}

const NOBODY = { mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), type: 'file' } as const;

/**
 * Packs files into a tar.gz while it is read, one after another: the same files make the same bytes, in whatever order they come. A
 * file that fails, or has another size than it says, fails the stream; a stream that is destroyed closes the file that is open.
 * @param level of compression, as zlib has them
 */
export function packTarGz(files: Iterable<PackedFile>, level: number = constants.Z_DEFAULT_COMPRESSION): Readable {
  const tar = pack();
  const gzip = createGzip({ level });
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  pipeline(tar as unknown as Readable, gzip).catch(() => {}); // it fails the gzip too, which the caller reads
  void fill(tar, sorted).catch((error: unknown) => tar.destroy(error as Error));
  return gzip;
}

async function fill(tar: Pack, files: readonly PackedFile[]): Promise<void> {
  for (const file of files) {
    const content = await file.open();
    try {
      await pipeline(content, tar.entry({ ...NOBODY, name: file.path, size: file.bytes }) as unknown as Writable);
    } finally {
      content.destroy();
    }
  }
  tar.finalize();
}
