import { ArchiveRefused } from '../wire.errors';

/** Control characters and invisible ones, halves of a pair, and what stands for bytes that were no UTF-8. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029\uFFFD]/u;
const UNSEEN_ALL = new RegExp(UNSEEN, 'gu');

const NO_PARTS: ReadonlySet<string> = new Set(['', '.', '..']);

/** Deeper folders than this are nobody's model; it bounds the memory that the names of an archive take. */
const MAX_DEPTH = 32;
/** Where nothing is written under the names: such a tree, and what a backup puts above it. */
const MAX_CONTENT_DEPTH = 40;

/** A name of an entry, checked. */
export interface EntryPath {
  /** 'a/b.onnx' in NFC; empty for the folder that the archive itself is (`./`). */
  readonly path: string;
  /** Whether the name ends as those of folders do. */
  readonly endsAsFolder: boolean;
}

/**
 * Reads the name of an entry. What is a path under one reading of it (as it is, or after NFKC, as some file systems and shells make
 * it) and leads elsewhere under the other is refused.
 * @throws ArchiveRefused
 */
export function readEntryPath(raw: string, maxBytes: number, contentOnly?: true): EntryPath {
  const endsAsFolder = raw.endsWith('/');
  const inner = raw.replace(/\/$/, '');
  const path = inner.replace(/^(\.\/)+/, '').normalize('NFC');
  const isRoot = path === '.' || (path === '' && inner !== '');
  const wish = isRoot ? undefined : wishOf(raw, path, maxBytes, contentOnly ? MAX_CONTENT_DEPTH : MAX_DEPTH);
  if (wish) throw new ArchiveRefused(shownName(raw), wish, raw === '' ? 'no name' : `the name "${shownName(raw)}"`);
  return { path: isRoot ? '' : path, endsAsFolder };
}

/** A name that somebody else chose, as a message may show it: without what a terminal or a log would obey, and not endless. */
export function shownName(raw: string): string {
  const clean = raw.slice(0, 300).replaceAll(UNSEEN_ALL, '\uFFFD');
  return clean.length > 120 ? `${clean.slice(0, 120)}…` : clean;
}

/** @returns what the name should have been, where it is refused */
function wishOf(raw: string, path: string, maxBytes: number, maxDepth: number): string | undefined {
  if (Math.max(Buffer.byteLength(raw), Buffer.byteLength(path)) > maxBytes) return `a name of at most ${maxBytes} bytes`;
  const folded = path.normalize('NFKC');
  if (path.split('/').length !== folded.split('/').length) return 'a name with plain slashes';
  if (path.split('/').length > maxDepth) return `at most ${maxDepth} folders deep`;
  return wishOfForm(path) ?? wishOfForm(folded);
}

function wishOfForm(path: string): string | undefined {
  if (UNSEEN.test(path)) return 'a name in UTF-8 without control characters';
  if (path.includes('\\')) return 'a name without backslashes';
  if (path.startsWith('/') || /^[a-z]:/i.test(path)) return 'a relative name';
  if (path.split('/').some((segment) => NO_PARTS.has(segment))) return 'a name without ".", ".." and empty parts';
}

/** The names of one archive, as a file system would see them that knows neither case nor compatibility forms. */
export class EntryNames {
  private readonly files = new Set<string>();
  private readonly folders = new Set<string>();

  /** @param contentOnly names that differ in case or form alone are two */
  constructor(private readonly contentOnly?: true) {}

  /** @throws ArchiveRefused where the name is there already, or a file would have to be a folder */
  addFile(path: string): void {
    const key = this.keyOf(path);
    if (this.files.has(key) || this.folders.has(key)) throw new ArchiveRefused(path, 'a name that comes once', 'it comes again');
    this.files.add(key);
    this.addFolderKeys(path, key.slice(0, Math.max(key.lastIndexOf('/'), 0)));
  }

  /** A folder may come again. @throws ArchiveRefused where it is a file already */
  addFolder(path: string): void {
    this.addFolderKeys(path, this.keyOf(path));
  }

  private keyOf(path: string): string {
    return this.contentOnly ? path : foldedOf(path);
  }

  private addFolderKeys(path: string, folder: string): void {
    for (let key = folder; key !== '' && !this.folders.has(key); key = key.slice(0, Math.max(key.lastIndexOf('/'), 0))) {
      if (this.files.has(key)) throw new ArchiveRefused(path, 'a folder that is no file', 'it is a file too');
      this.folders.add(key);
    }
  }
}

/** Upper case first: it takes apart what lower case keeps (ß, ﬀ). */
function foldedOf(path: string): string {
  return path.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC');
}
