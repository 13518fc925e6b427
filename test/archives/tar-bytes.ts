import { gzipSync } from 'node:zlib';

/** One entry of a tar, as it is to be written; whatever is not given is honest. */
export interface RawTarEntry {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  /** The type flag: '0' is a file. */
  readonly type?: string;
  readonly mode?: number;
  readonly linkname?: string;
  /** The twelve bytes of the size. */
  readonly size?: Buffer;
}

const BLOCK = 512;

/** One header and its content, filled up to whole blocks. */
export function tarEntry({ name, content = '', type = '0', mode = 0o644, linkname = '', size }: RawTarEntry): Buffer {
  const bytes = Buffer.from(content);
  const head = Buffer.alloc(BLOCK);
  Buffer.from(name).copy(head, 0, 0, 100);
  head.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
  head.write('0000000\0', 108);
  head.write('0000000\0', 116);
  (size ?? Buffer.from(`${bytes.length.toString(8).padStart(11, '0')}\0`)).copy(head, 124);
  head.write('00000000000\0', 136);
  head.write(type, 156);
  head.write(linkname, 157);
  head.write('ustar\x0000', 257, 'latin1');
  head.fill(' ', 148, 156);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([head, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}

/** A PAX header with these records; it is about the entry behind it, or about all where it is global ('g'). */
export function paxHeader(records: Readonly<Record<string, string>>, type = 'x'): Buffer {
  const lines = Object.entries(records).map(([key, value]) => paxLine(` ${key}=${value}\n`));
  return tarEntry({ name: 'PaxHeader', type, content: lines.join('') });
}

function paxLine(rest: string): string {
  let length = Buffer.byteLength(rest);
  while (`${length}`.length + Buffer.byteLength(rest) !== length) length = `${length}`.length + Buffer.byteLength(rest);
  return `${length}${rest}`;
}

/** A tar of these entries, or of blocks that were made already. */
export function tarOf(entries: readonly (RawTarEntry | Buffer)[]): Buffer {
  return Buffer.concat([...entries.map((entry) => (Buffer.isBuffer(entry) ? entry : tarEntry(entry))), Buffer.alloc(2 * BLOCK)]);
}

export function tarGzOf(entries: readonly (RawTarEntry | Buffer)[]): Buffer {
  return gzipSync(tarOf(entries));
}
