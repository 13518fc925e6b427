import type { FileHandle } from 'node:fs/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import { type Entry, type LocalFileHeader, parseExtraFields, type ZipFile } from 'yauzl';
import { decompress, slice } from './archive-bytes';
import type { ArchiveIntake } from './archive-intake';
import { shownName } from './archive-path';
import { ArchiveRefused } from '../wire.errors';
import { nameOf, openZip, refuseMoreEntries } from './zip-directory';

const CHUNK_BYTES = 65_536;
const SIZES_FOLLOW = 0x8;
const ELSEWHERE = 0xffff_ffff;
const ZIP64 = 0x0001;

/** What is kept of an entry of the directory. */
interface ZipEntry {
  readonly shown: string;
  readonly rawName: Buffer;
  /** Where there is something to take. */
  readonly path: string | undefined;
  readonly method: number;
  readonly offset: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  readonly crc: number;
}

/**
 * The directory is read whole before anything is unpacked; the files come in the order in which they lie in the archive.
 * @throws ArchiveRefused, ArchiveTooLarge; whatever zlib and yauzl say of bytes that they cannot read
 */
export async function readZip(file: FileHandle, size: number, intake: ArchiveIntake): Promise<void> {
  const zip = await openZip(file, size);
  const directoryAt = zip.readEntryCursor as unknown as number; // the types are wrong here
  const entries: ZipEntry[] = [];
  for await (const entry of zip.eachEntry()) entries.push(entryOf(entry, intake));
  await refuseMoreEntries(file, zip);
  entries.sort((a, b) => a.offset - b.offset);
  for (const [index, entry] of entries.entries()) {
    const start = await startOf(zip, entry);
    const next = entries[index + 1]?.offset ?? directoryAt;
    if (start + entry.compressedBytes > next) throw new ArchiveRefused(entry.shown, 'entries that lie apart', 'it overlaps the next');
    if (entry.path !== undefined) await intake.take(entry.path, contentOf(file, entry, start, intake));
  }
}

function entryOf(entry: Entry, intake: ArchiveIntake): ZipEntry {
  const { name, isFolder } = nameOf(entry);
  return {
    path: intake.enter(name, isFolder, entry.uncompressedSize),
    shown: shownName(name),
    rawName: Buffer.from(entry.fileNameRaw), // a copy: what it is cut from has the comment too
    method: entry.compressionMethod,
    offset: entry.relativeOffsetOfLocalHeader,
    compressedBytes: entry.compressedSize,
    bytes: entry.uncompressedSize,
    crc: entry.crc32,
  };
}

/** @returns where the data of the entry begin  @throws ArchiveRefused where the header before them contradicts the directory */
async function startOf(zip: ZipFile, entry: ZipEntry): Promise<number> {
  const local = await zip.readLocalFileHeaderPromise({
    relativeOffsetOfLocalHeader: entry.offset,
    compressedSize: entry.compressedBytes,
  } as Entry);
  const same = local.fileName.equals(entry.rawName) && local.compressionMethod === entry.method && saysTheSame(local, entry);
  if (!same) throw new ArchiveRefused(entry.shown, 'a header that says what the directory says', 'another name, method, size or checksum');
  return local.fileDataStart;
}

function saysTheSame(local: LocalFileHeader, entry: ZipEntry): boolean {
  const wide = parseExtraFields(local.extraField).find(({ id }) => id === ZIP64)?.data;
  const [bytes, rest] = local.uncompressedSize === ELSEWHERE && wide ? [wideAt(wide, 0), 8] : [local.uncompressedSize, 0];
  const compressedBytes = local.compressedSize === ELSEWHERE && wide ? wideAt(wide, rest) : local.compressedSize;
  if (local.crc32 === entry.crc && bytes === entry.bytes && compressedBytes === entry.compressedBytes) return true;
  return (local.generalPurposeBitFlag & SIZES_FOLLOW) !== 0 && local.crc32 === 0 && bytes === 0 && compressedBytes === 0;
}

function wideAt(data: Buffer, at: number): number | undefined {
  return data.length < at + 8 ? undefined : Number(data.readBigUInt64LE(at));
}

async function* contentOf(file: FileHandle, entry: ZipEntry, start: number, intake: ArchiveIntake): AsyncGenerator<Uint8Array> {
  const raw = slice(file, start, start + entry.compressedBytes);
  const inflate = (): AsyncGenerator<Uint8Array> =>
    decompress(raw, entry.compressedBytes, createInflateRaw({ chunkSize: CHUNK_BYTES }), entry.shown);
  let bytes = 0;
  let crc = 0;
  for await (const chunk of entry.method === 0 ? raw : inflate()) {
    intake.inflate(chunk.length, entry.shown);
    bytes += chunk.length;
    crc = crc32(chunk, crc);
    if (bytes > entry.bytes) throw new ArchiveRefused(entry.shown, `${entry.bytes} bytes, as it says`, 'more');
    yield chunk;
  }
  if (bytes !== entry.bytes) throw new ArchiveRefused(entry.shown, `${entry.bytes} bytes, as it says`, `${bytes}`);
  if (crc !== entry.crc) throw new ArchiveRefused(entry.shown, 'the checksum that it says', 'another');
}
