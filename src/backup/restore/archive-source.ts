import { createReadStream } from 'node:fs';
import { mkdir, realpath, rmdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { hasCode } from '../../errors/has-code';
import type { BlobStore, StagedBlob } from '../../storage/blob-store.port';
import { openStorage } from '../../storage/open-storage';
import { readArchive } from '../../wire/archive/read-archive';
import { ArchiveRefused } from '../../wire/wire.errors';
import { MAX_MANIFEST_BYTES, readManifest } from '../snapshot/read-manifest';
import type { SnapshotManifest, SnapshotObject } from '../snapshot/snapshot-manifest';
import type { Progress } from '../snapshot/snapshot-records';
import { checkSignature, SnapshotSeal } from '../snapshot/snapshot-seal';
import { SnapshotDamaged } from '../snapshot/snapshot.errors';
import type { RestoreSource } from './restore-source';

const MANIFEST = 'snapshot.json';
const SUMS = 'SHA256SUMS';
const SUM_LINE = /^([0-9a-f]{64}) [ *](.+)$/;
const MAX_SUMS_BYTES = 256 * 2 ** 20;
/** A registry of this many files is none of ours. What is written is bounded by the manifest, as soon as it is read. */
const LIMITS = {
  maxEntries: 1_000_000,
  maxBytes: 2 ** 46,
  maxFileBytes: 2 ** 42,
  maxRatio: 2000, // no deflate comes to more than 1032
  maxPathBytes: 2048,
  contentOnly: true,
} as const;

/** How an archive is to be read. */
export interface ArchiveOpening {
  /** Takes an unsigned one for what it says it is, though there is a key. */
  readonly allowUnsigned?: boolean;
  readonly progress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/** Gives out what `backup export` wrote, for a restore. Anybody may have made the file: it is read twice, and nothing is stored before it is known what. */
export class ArchiveSources {
  /** @param root the folder in whose `.staging/` objects are kept until the source is closed: under names by chance, none under one of the archive's */
  constructor(
    private readonly root: string,
    private readonly seal: SnapshotSeal,
  ) {}

  /**
   * @param path of the archive; it must not change until this has returned
   * @throws ArchiveRefused, ArchiveTooLarge; SnapshotUnsigned, SnapshotForged, BackupKeyWrong, BackupKeyRefused; SnapshotDamaged, SnapshotNewer;
   *   NoSpace, AbortError; ENOENT where there is no such file
   */
  async open(path: string, { allowUnsigned = false, progress, signal }: ArchiveOpening = {}): Promise<RestoreSource> {
    const file = await realpath(path); // a link that its owner made is followed, none that the archive holds
    const { manifest, sums } = await head(file, signal);
    const signature = checkSignature(manifest, await this.seal.key(), allowUnsigned);
    const objects = new StagedObjects(manifest, sums, openStorage(this.root).blobs);
    const made = await mkdir(join(this.root, '.staging'), { recursive: true });
    const close = async (): Promise<void> => {
      await objects.discard();
      if (made !== undefined) await unmake(resolve(this.root, '.staging'), resolve(made));
    };
    try {
      await readArchive(file, LIMITS, async (each) => {
        signal?.throwIfAborted();
        if (await objects.take(each, signal)) progress?.(objects.progress);
      });
    } catch (error) {
      await close();
      throw error;
    }
    return { manifest, signature, read: (object) => objects.read(object), close };
  }
}

/** Takes folders away that were made and stayed empty: who only looks leaves nothing. @param from the innermost @param to the outermost */
async function unmake(from: string, to: string): Promise<void> {
  try {
    for (let folder = from; folder.length >= to.length; folder = dirname(folder)) await rmdir(folder);
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error;
  }
}

/** Reads an archive to its end for what says what is in it. */
async function head(file: string, signal?: AbortSignal): Promise<{ readonly manifest: SnapshotManifest; readonly sums: Sums }> {
  const found = new Map<string, Buffer>();
  await readArchive(file, LIMITS, async ({ path, content }) => {
    signal?.throwIfAborted();
    const most = path === MANIFEST ? MAX_MANIFEST_BYTES : path === SUMS ? MAX_SUMS_BYTES : undefined;
    if (most === undefined) for await (const _ of content) signal?.throwIfAborted();
    else found.set(path, await bounded(content, path, most));
  });
  const [manifest, sums] = [MANIFEST, SUMS].map((name) => found.get(name));
  if (manifest === undefined || sums === undefined)
    throw new ArchiveRefused('archive', `an export of a snapshot, with ${MANIFEST} and ${SUMS}`, 'it is none');
  return { manifest: readManifest(manifest), sums: sumsOf(sums) };
}

/** Names of files, and what each says it comes to. */
type Sums = ReadonlyMap<string, string>;

function sumsOf(bytes: Buffer): Sums {
  const lines = bytes.toString('utf8').split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [, sha256, path] = SUM_LINE.exec(line) ?? [];
      if (sha256 === undefined || path === undefined) throw new ArchiveRefused(SUMS, 'lines as sha256sum writes them', 'another');
      return [path.replace(/^(\.\/)+/, '').normalize('NFC'), sha256];
    }),
  );
}

async function bounded(content: Readable, path: string, most: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of content as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > most) throw new ArchiveRefused(path, `at most ${most} bytes`, 'more');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The objects of a manifest that an archive has, each of them once, as they are found. */
class StagedObjects {
  private readonly wanted: ReadonlyMap<string, SnapshotObject>;
  private readonly staged = new Map<string, StagedBlob>();
  private readonly wrong = new Set<string>();
  private doneBytes = 0;
  private readonly allBytes: number;

  constructor(
    { objects }: SnapshotManifest,
    private readonly sums: Sums,
    private readonly staging: BlobStore,
  ) {
    this.wanted = new Map(objects.map((object) => [object.sha256, object]));
    this.allBytes = [...this.wanted.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get progress(): Progress {
    const { doneBytes, allBytes, staged, wanted } = this;
    return { phase: 'unpacking', doneBytes, allBytes, doneObjects: staged.size, allObjects: wanted.size };
  }

  /** @returns whether it is one that was wanted, and is what it should be */
  async take({ path, content }: { readonly path: string; readonly content: Readable }, signal?: AbortSignal): Promise<boolean> {
    const object = this.wanted.get(this.sums.get(path) ?? '');
    if (object === undefined || this.staged.has(object.sha256)) {
      for await (const _ of content) signal?.throwIfAborted();
      return false;
    }
    const { sha256, bytes } = object;
    const staged = await this.staging.stage(declared(content, path, bytes, signal), bytes);
    if (staged.digest !== sha256) {
      this.wrong.add(sha256);
      await staged.discard();
      return false;
    }
    this.staged.set(sha256, staged);
    this.doneBytes += bytes;
    return true;
  }

  /** @throws SnapshotDamaged */
  async *read({ path, sha256 }: SnapshotObject): AsyncIterable<Uint8Array> {
    const staged = this.staged.get(sha256);
    if (staged !== undefined) return void (yield* createReadStream(staged.path) as AsyncIterable<Uint8Array>);
    const reason = this.wrong.has(sha256) ? 'its bytes are not those that were stored' : 'it is not in the archive';
    throw new SnapshotDamaged(`The object ${path}`, reason);
  }

  /** Never rejects: what cannot be taken away now is taken by a sweep. */
  async discard(): Promise<void> {
    await Promise.allSettled([...this.staged.values()].map((blob) => blob.discard()));
    this.staged.clear();
  }
}

/** Stops where more comes than the manifest says. @throws ArchiveRefused */
async function* declared(content: Readable, path: string, most: number, signal?: AbortSignal): AsyncIterable<Uint8Array> {
  let bytes = 0;
  for await (const chunk of content as AsyncIterable<Uint8Array>) {
    signal?.throwIfAborted();
    bytes += chunk.length;
    if (bytes > most) throw new ArchiveRefused(path, `the ${most} bytes that ${MANIFEST} tells of`, 'more');
    yield chunk;
  }
}
