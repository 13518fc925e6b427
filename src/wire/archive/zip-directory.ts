import type { FileHandle } from 'node:fs/promises';
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { shownName } from './archive-path';
import { ArchiveRefused } from '../wire.errors';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ENCRYPTED = 0x1 | 0x40 | 0x2000;
const PATCHED = 0x20;
const UNICODE_NAME = 0x7075;
const END_BYTES = 22;
const AFTER_ENTRIES: ReadonlySet<string> = new Set(['PK\x05\x06', 'PK\x06\x06']);
const TYPE_BITS = 0o170_000;
const REGULAR = 0o100_000;
const FOLDER = 0o040_000;

/** The names of a zip are read here, as bytes: yauzl would guess at their encoding, and turn backslashes into slashes. */
export async function openZip(file: FileHandle, size: number): Promise<ZipFile> {
  return fromRandomAccessReaderPromise(new FileReader(file, size), size, { autoClose: false, decodeStrings: false });
}

/**
 * The name of an entry of the directory, which is checked for what no reading of it may bring.
 * @throws ArchiveRefused
 */
export function nameOf(entry: Entry): { readonly name: string; readonly isFolder: boolean } {
  const name = decode(entry.fileNameRaw);
  const refuse = (expected: string, actual: string): never => {
    throw new ArchiveRefused(shownName(name), expected, actual);
  };
  if (entry.generalPurposeBitFlag & ENCRYPTED) refuse('no encryption', 'an encrypted entry');
  if (entry.generalPurposeBitFlag & PATCHED) refuse('a whole file', 'a patch');
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) {
    refuse('an entry that is stored or deflated', `compression method ${entry.compressionMethod}`);
  }
  const other = entry.extraFields.find(({ id }) => id === UNICODE_NAME);
  if (other && !other.data.subarray(5).equals(entry.fileNameRaw)) refuse('one name', 'another name in an extra field');
  const type = (entry.externalFileAttributes >>> 16) & TYPE_BITS;
  if (![0, REGULAR, FOLDER].includes(type)) refuse('a file or a folder', `an entry of type 0${type.toString(8)}`);
  if (type === FOLDER && !name.endsWith('/')) refuse('a folder whose name ends in a slash', 'it does not');
  if (type === REGULAR && name.endsWith('/')) refuse('a file whose name ends without a slash', 'it ends in one');
  return { name, isFolder: name.endsWith('/') };
}

/** After the entries that were counted comes the end of the directory; other readers may see more. @throws ArchiveRefused */
export async function refuseMoreEntries(file: FileHandle, zip: ZipFile): Promise<void> {
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, zip.readEntryCursor as unknown as number); // the types are wrong here
  const follows = AFTER_ENTRIES.has(buffer.toString('latin1'));
  const inside = (zip.readEntryCursor as unknown as number) <= zip.fileSize - END_BYTES - zip.comment.length;
  if (!follows || !inside) throw new ArchiveRefused('archive', `${zip.entryCount} entries, as it says`, 'something else behind them');
}

function decode(raw: Buffer): string {
  try {
    return UTF8.decode(raw);
  } catch (cause) {
    throw new ArchiveRefused(shownName(raw.toString()), 'a name in UTF-8', 'other bytes', { cause });
  }
}

/** yauzl's own reader hands any offset to `fs.read`, which throws at those beyond 2^53 where nobody can catch it. */
class FileReader extends RandomAccessReader {
  constructor(
    private readonly file: FileHandle,
    private readonly size: number,
  ) {
    super();
  }

  override read(buffer: Buffer, offset: number, length: number, position: number, done: (error: Error | null) => void): void {
    void this.fill(buffer, offset, length, position)
      .then(
        () => null,
        (error: Error) => error,
      )
      .then(done);
  }

  private async fill(buffer: Buffer, offset: number, length: number, position: number): Promise<void> {
    if (!(position + length <= this.size)) throw new Error('it points beyond the end of the file');
    const { bytesRead } = await this.file.read(buffer, offset, length, position);
    if (bytesRead < length) throw new Error('its end came early');
  }
}
