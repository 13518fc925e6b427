import type { FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { decompress, slice } from './archive-bytes';
import type { ArchiveIntake } from './archive-intake';
import { shownName } from './archive-path';
import { ArchiveRefused } from '../wire.errors';

/** What may stand between one entry and the next: headers of PAX and GNU, with names, times and attributes. */
const MAX_HEADER_BYTES = 32_768;
/** Zeros at the end; GNU tar fills up to 10 KiB, tapes have larger records. */
const MAX_PADDING_BYTES = 2 ** 20;
const MAX_PAX_RECORDS = 64;

const CHUNK_BYTES = 65_536;
const ZEROS = Buffer.alloc(CHUNK_BYTES);
const BLOCK = 512;

/** As `tar-stream` gives them; its types do not say all. */
type TarHeader = Omit<Header, 'type'> & { readonly type: Header['type'] | null; readonly byteOffset: number };

/** @throws ArchiveRefused, ArchiveTooLarge; whatever zlib and tar-stream say of bytes that they cannot read */
export async function readTarGz(file: FileHandle, size: number, intake: ArchiveIntake): Promise<void> {
  const tar = extract();
  const gap = new Gap();
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  const bytes = decompress(slice(file, 0, size), size, gunzip, 'archive');
  const pumping = pipeline(gap.watch(bytes, intake), tar as unknown as Writable);
  pumping.catch(() => {}); // it fails the tar too, which is read here
  try {
    for await (const entry of tar) {
      const header = entry.header as TarHeader;
      gap.close(header);
      await takeEntry(header, entry as AsyncIterable<Uint8Array>, intake);
    }
    await pumping;
  } finally {
    tar.destroy();
    await pumping.catch(() => {});
  }
}

async function takeEntry(header: TarHeader, content: AsyncIterable<Uint8Array>, intake: ArchiveIntake): Promise<void> {
  refuseHeader(header);
  const path = intake.enter(header.name, header.type === 'directory', header.size);
  if (path !== undefined) return intake.take(path, content);
  if (header.type !== 'directory') for await (const chunk of content) void chunk;
}

function refuseHeader({ name, type, size, pax }: TarHeader): void {
  const refuse = (expected: string, actual: string): never => {
    throw new ArchiveRefused(shownName(name), expected, actual);
  };
  if (type !== 'file' && type !== 'directory') refuse('a file or a folder', type ?? 'an unknown type of entry');
  // tar-stream would wait for ever for the end of a size that is no number
  if (!Number.isSafeInteger(size)) refuse('a size', 'none');
  const records = Object.keys(pax ?? {});
  if (records.length > MAX_PAX_RECORDS) refuse(`at most ${MAX_PAX_RECORDS} PAX records`, `${records.length}`);
  if (records.some((record) => record.startsWith('GNU.sparse'))) refuse('a file or a folder', 'a sparse file');
}

/**
 * What lies between two entries. tar-stream tells nothing of the headers there, keeps up to 4 MiB of each, and merges all records of
 * a global one into every other: a small archive could keep it busy for hours without a single entry.
 */
class Gap {
  private contentEnd = 0;
  private passed = 0;
  private headers = 0;
  private padding = 0;

  /** The next entry was found: its content is counted elsewhere. */
  close({ byteOffset, size }: TarHeader): void {
    this.contentEnd = byteOffset + Math.ceil(size / BLOCK) * BLOCK;
    this.headers = 0;
    this.padding = 0;
  }

  async *watch(source: AsyncIterable<Uint8Array>, intake: ArchiveIntake): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      intake.inflate(chunk.length);
      // in pieces, so that what is found in one counts before the next is looked at
      for (let at = 0; at < chunk.length; at += MAX_HEADER_BYTES / 4) {
        const piece = chunk.subarray(at, at + MAX_HEADER_BYTES / 4);
        this.count(piece);
        yield piece;
      }
    }
  }

  private count(piece: Uint8Array): void {
    if (this.passed >= this.contentEnd) {
      if (ZEROS.subarray(0, piece.length).equals(piece)) this.padding += piece.length;
      else this.headers += piece.length;
    }
    this.passed += piece.length;
    if (this.headers > MAX_HEADER_BYTES) throw new ArchiveRefused('archive', `at most ${MAX_HEADER_BYTES} bytes of headers`, 'more');
    if (this.padding > MAX_PADDING_BYTES) throw new ArchiveRefused('archive', `at most ${MAX_PADDING_BYTES} bytes of padding`, 'more');
  }
}
