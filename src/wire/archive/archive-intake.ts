import { once } from 'node:events';
import { Readable } from 'node:stream';
import { AppError } from '../../errors/app-error';
import { refuseNested } from './archive-kind';
import { EntryNames, readEntryPath, shownName } from './archive-path';
import { sparing } from '../sparing';
import { ArchiveRefused, ArchiveTooLarge } from '../wire.errors';

/** How much an archive may hold. */
export interface ArchiveLimits {
  /** Files, folders and whatever else has a name. */
  readonly maxEntries: number;
  /** All files together, unpacked. */
  readonly maxBytes: number;
  readonly maxFileBytes: number;
  /** Unpacked bytes for each byte of the archive; what unpacks to 1 MiB or less is not measured. */
  readonly maxRatio: number;
  /** The name of an entry in UTF-8. */
  readonly maxPathBytes: number;
  /** Nothing is written under the names: they may be deeper and differ in case alone, and a file may be an archive. */
  readonly contentOnly?: true;
}

/** One file of an archive, while it is unpacked. */
export interface ArchiveFile {
  readonly path: string;
  readonly content: Readable;
}

/** Takes one file of an archive; it is done when it has read `content` to its end, or does not want it. */
export type TakeFile = (file: ArchiveFile) => Promise<void>;

const FREE_OF_RATIO = 2 ** 20;

/** What finds its way out of an archive passes here: names and sizes are counted, files are handed over. One for each reading. */
export class ArchiveIntake {
  private readonly names: EntryNames;
  private readonly maxInflated: number;
  private entries = 0;
  private files = 0;
  private bytes = 0;
  private inflated = 0;
  private rejection: { readonly error: Error } | undefined;

  constructor(
    private readonly limits: ArchiveLimits,
    archiveBytes: number,
    private readonly takeFile: TakeFile,
  ) {
    this.names = new EntryNames(limits.contentOnly);
    this.maxInflated = Math.max(FREE_OF_RATIO, limits.maxRatio * archiveBytes);
  }

  /**
   * Notes an entry.
   * @param bytes its size as the archive declares it; who reads the archive gives not one byte more of the file than that
   * @returns the path of a file that wants to be taken; undefined for a folder, and for what macOS leaves in archives
   */
  enter(name: string, isFolder: boolean, bytes: number): string | undefined {
    this.entries += 1;
    if (this.entries > this.limits.maxEntries) throw tooMuch('archive', this.limits.maxEntries, 'entries');
    const { path, endsAsFolder } = readEntryPath(name, this.limits.maxPathBytes, this.limits.contentOnly);
    if (isFolder || endsAsFolder || path === '') return this.enterFolder(path, bytes);
    this.names.addFile(path);
    if (bytes > this.limits.maxFileBytes) throw tooMuch(path, this.limits.maxFileBytes, 'bytes in a file');
    this.bytes += bytes;
    if (this.bytes > this.limits.maxBytes) throw tooMuch(path, this.limits.maxBytes, 'bytes in all files');
    return path.startsWith('__MACOSX/') || /(^|\/)\.DS_Store$/.test(path) ? undefined : path;
  }

  private enterFolder(path: string, bytes: number): undefined {
    if (bytes !== 0) throw new ArchiveRefused(shownName(path), 'a folder without content', `${bytes} bytes`);
    this.names.addFolder(path);
  }

  /** Counts what a decompressor put out. @throws ArchiveTooLarge beyond the ratio */
  inflate(bytes: number, entry = 'archive'): void {
    this.inflated += bytes;
    if (this.inflated > this.maxInflated) throw tooMuch(entry, this.limits.maxRatio, 'unpacked bytes for each byte of the archive');
  }

  /** Hands a file over, and checks it to its end whether it was read or not. */
  async take(path: string, source: AsyncIterable<Uint8Array>): Promise<void> {
    const state: ReadState = { whole: false };
    const content = Readable.from(this.checked(path, source, state), { objectMode: false });
    content.on('error', () => {}); // told to takeFile, who reads it
    try {
      await this.takeFile({ path, content }).catch((error: Error) => this.reject(error, state));
      if (state.failure === undefined) await readOut(content, state, path);
      if (state.failure !== undefined) throw state.failure;
      this.files += 1;
    } finally {
      content.destroy();
      if (!content.closed) await once(content, 'close');
    }
  }

  /** @throws ArchiveRefused where there was no file */
  end(): void {
    if (this.files === 0) throw new ArchiveRefused('archive', 'at least one file', 'none');
  }

  /** What a caller is told of `error`: that of its own `takeFile` and a failing disk as they are, all else as a refusal. */
  explain(error: unknown): Error {
    if (this.rejection) return this.rejection.error;
    if (error instanceof AppError || Object.hasOwn(error as object, 'syscall')) return error as Error;
    return new ArchiveRefused('archive', 'a zip or a tar.gz that is whole', (error as Error).message, { cause: error });
  }

  private reject(error: Error, state: ReadState): never {
    if (state.failure !== undefined) throw state.failure; // the reason why it was rejected
    this.rejection = { error };
    throw error;
  }

  private async *checked(path: string, source: AsyncIterable<Uint8Array>, state: ReadState): AsyncGenerator<Uint8Array> {
    try {
      yield* sparing(this.limits.contentOnly ? source : refuseNested(path, source));
      state.whole = true;
    } catch (error) {
      if ((error as Error).name === 'AbortError') throw error; // who took the file left in the middle of it, and says why
      state.failure = this.explain(error);
      throw state.failure;
    }
  }
}

/** How far the content of one file was read. */
interface ReadState {
  whole: boolean;
  failure?: Error;
}

async function readOut(content: Readable, state: ReadState, path: string): Promise<void> {
  if (state.whole) return;
  if (content.destroyed) throw new Error(`the content of ${path} was destroyed by who took it`);
  for await (const chunk of content) void chunk;
}

function tooMuch(entry: string, limit: number, what: string): ArchiveTooLarge {
  return new ArchiveTooLarge(entry, `at most ${limit} ${what}`, 'more');
}
