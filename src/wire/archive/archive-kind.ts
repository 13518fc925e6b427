import { ArchiveRefused } from '../wire.errors';

/** The archives that are read. */
export type ArchiveKind = 'zip' | 'tar.gz';

/** How many bytes of a file `kindOfHead` looks at. */
export const HEAD_BYTES = 4;

const ARCHIVE_NAME = /\.(zip|gz|tgz|tar)$/i;
const USTAR_AT = 257;
const USTAR = 'ustar';

/** What a file is by its first bytes; whether a gzip holds a tar is seen only when it is read. */
export function kindOfHead(head: Uint8Array): ArchiveKind | undefined {
  const magic = Buffer.from(head.subarray(0, HEAD_BYTES)).toString('latin1');
  if (magic === 'PK\x03\x04' || magic === 'PK\x05\x06') return 'zip';
  return magic.startsWith('\x1f\x8b') ? 'tar.gz' : undefined;
}

/**
 * Passes the content of an entry on, unless it is an archive by its name and by its bytes: then not one byte of it. Formats of models
 * that are zips inside (`.npz`, `.keras`, `.pt`) are files like any other.
 * @throws ArchiveRefused
 */
export async function* refuseNested(path: string, source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let head = ARCHIVE_NAME.test(path) ? new Uint8Array(0) : undefined;
  for await (const chunk of source) {
    head = head && Buffer.concat([head, chunk]);
    if (head && head.length < USTAR_AT + USTAR.length) continue;
    if (head) refuseHead(path, head);
    yield head ?? chunk;
    head = undefined;
  }
  if (!head) return;
  refuseHead(path, head);
  yield head;
}

function refuseHead(path: string, head: Uint8Array): void {
  const isTar = Buffer.from(head).toString('latin1', USTAR_AT, USTAR_AT + USTAR.length) === USTAR;
  if (isTar || kindOfHead(head)) throw new ArchiveRefused(path, 'no archive inside an archive', 'an archive');
}
