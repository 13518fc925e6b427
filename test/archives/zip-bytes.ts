import { crc32, deflateRawSync } from 'node:zlib';

/** One entry of a zip, as it is to be written; whatever is not given is honest. */
export interface RawZipEntry {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  readonly method?: number;
  readonly flags?: number;
  /** The upper half of the external attributes: type and mode. */
  readonly mode?: number;
  /** What lies in the file, where it is not the content under `method`. */
  readonly data?: Buffer;
  readonly extra?: Buffer;
  readonly localExtra?: Buffer;
  /** What the directory says. */
  readonly central?: ZipNumbers;
  /** What the header before the data says; default: what the directory says. */
  readonly local?: ZipNumbers & { readonly name?: string; readonly method?: number };
  /** No data of its own: it points at the header of another entry. */
  readonly offset?: number;
}

export interface ZipNumbers {
  readonly crc?: number;
  readonly bytes?: number;
  readonly compressedBytes?: number;
}

/** What the end of the directory says where it lies, and what stands around it. */
export interface ZipEnd {
  readonly count?: number;
  readonly directoryAt?: number;
  readonly comment?: Buffer;
  readonly zip64?: { readonly count: bigint; readonly directoryAt: bigint; readonly recordAt?: bigint };
}

const UTF8 = 0x800;

export function zipOf(entries: readonly RawZipEntry[], end: ZipEnd = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const written = writeEntry(entry, at);
    if (entry.offset === undefined) {
      parts.push(written.local);
      at += written.local.length;
    }
    directory.push(written.central);
  }
  const central = Buffer.concat(directory);
  return Buffer.concat([...parts, central, endOf(entries.length, at, central.length, end)]);
}

function writeEntry(entry: RawZipEntry, at: number): { readonly local: Buffer; readonly central: Buffer } {
  const name = Buffer.from(entry.name);
  const content = Buffer.from(entry.content ?? '');
  const method = entry.method ?? 8;
  const data = entry.data ?? (method === 8 ? deflateRawSync(content) : content);
  const flags = entry.flags ?? UTF8;
  const central = { crc: crc32(content), bytes: content.length, compressedBytes: data.length, ...entry.central };
  const local = { ...central, name, method, ...entry.local };
  const localName = Buffer.from(local.name);
  const localExtra = entry.localExtra ?? Buffer.alloc(0);
  const extra = entry.extra ?? Buffer.alloc(0);
  const head = Buffer.concat([
    numbers([4, 0x04034b50], [2, 20], [2, flags], [2, local.method], [2, 0], [2, 0x21]),
    numbers([4, local.crc], [4, local.compressedBytes], [4, local.bytes], [2, localName.length], [2, localExtra.length]),
  ]);
  const record = Buffer.concat([
    numbers([4, 0x02014b50], [2, 0x031e], [2, 20], [2, flags], [2, method], [2, 0], [2, 0x21]),
    numbers([4, central.crc], [4, central.compressedBytes], [4, central.bytes], [2, name.length], [2, extra.length]),
    numbers([2, 0], [2, 0], [2, 0], [4, (entry.mode ?? 0o100644) * 0x10000], [4, entry.offset ?? at]),
  ]);
  return { local: Buffer.concat([head, localName, localExtra, data]), central: Buffer.concat([record, name, extra]) };
}

function endOf(entries: number, at: number, bytes: number, { count, directoryAt, comment, zip64 }: ZipEnd): Buffer {
  const tail = comment ?? Buffer.alloc(0);
  const end = Buffer.concat([
    numbers([4, 0x06054b50], [2, 0], [2, 0], [2, (count ?? entries) & 0xffff], [2, (count ?? entries) & 0xffff]),
    numbers([4, bytes], [4, directoryAt ?? at], [2, tail.length]),
    tail,
  ]);
  if (!zip64) return end;
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeBigUInt64LE(zip64.count, 24);
  record.writeBigUInt64LE(zip64.count, 32);
  record.writeBigUInt64LE(BigInt(bytes), 40);
  record.writeBigUInt64LE(zip64.directoryAt, 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(zip64.recordAt ?? BigInt(at + bytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, locator, end]);
}

/** One field of an extra block. */
export function extraField(id: number, data: Buffer): Buffer {
  return Buffer.concat([numbers([2, id], [2, data.length]), data]);
}

/** Little-endian numbers of 2 or 4 bytes. */
export function numbers(...fields: readonly (readonly [2 | 4, number])[]): Buffer {
  return Buffer.concat(
    fields.map(([bytes, value]) => {
      const field = Buffer.alloc(bytes);
      if (bytes === 2) field.writeUInt16LE(value);
      else field.writeUInt32LE(value);
      return field;
    }),
  );
}
