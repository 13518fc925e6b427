import { hasCode } from '../../errors/has-code';
import { type BlobName, type BlobStore, LOST, type StagedBlob } from '../../storage/blob-store.port';
import { BlobMissing } from '../../storage/storage.errors';
import { inLanes } from '../snapshot/in-lanes';
import type { SnapshotObject } from '../snapshot/snapshot-manifest';
import type { Progress } from '../snapshot/snapshot-records';
import type { DamagedObject } from './restore-plan';
import type { RestoreSource } from './restore-source';

const LANES = 4;

/** A file that is needed. */
export interface NeededFile {
  readonly sha256: string;
  readonly size: number;
  /** It would be good to have; nothing is said where it is not to be had. */
  readonly optional?: true;
}

/** How it is done. */
export interface Gathering {
  /** Only looks whether all is there. */
  readonly dryRun: boolean;
  readonly progress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/**
 * The bytes that a restore needs, every one of them read and found good: out of the registry where it has them, else out of the
 * snapshot. They are held on to until they are discarded, whatever a collection takes away meanwhile.
 */
export class HeldBlobs {
  private readonly held = new Map<string, StagedBlob | undefined>();
  readonly damaged: DamagedObject[] = [];
  /** What the registry does not have. */
  readonly copy = { blobs: 0, bytes: 0 };

  /** @param blobs those of the registry @param nameOf what a blob with these bytes is called there */
  constructor(
    private readonly blobs: BlobStore,
    private readonly source: RestoreSource,
    private readonly nameOf: (sha256: string) => BlobName,
  ) {}

  /** What was held. */
  get staged(): readonly StagedBlob[] {
    return [...this.held.values()].filter((blob) => blob !== undefined);
  }

  /** Whether all bytes of an artifact are to be had. */
  has({ manifest }: { readonly manifest: { readonly files: readonly NeededFile[] } }): boolean {
    return manifest.files.every(({ sha256 }) => this.held.has(sha256));
  }

  /** @throws NoSpace, AbortError, whatever the registry's own disk says */
  async gather(files: Iterable<NeededFile>, { dryRun, progress, signal }: Gathering): Promise<void> {
    const wanted = new Map(
      [...files].sort((a, b) => Number(b.optional ?? false) - Number(a.optional ?? false)).map((file) => [file.sha256, file]),
    );
    const objects = new Map(
      this.source.manifest.objects.flatMap((object) => (object.kind === 'blob' ? [[object.sha256, object] as const] : [])),
    );
    const sum = { doneBytes: 0, doneObjects: 0 };
    const all = { allBytes: [...wanted.values()].reduce((bytes, { size }) => bytes + size, 0), allObjects: wanted.size };
    await inLanes(LANES, wanted.values(), async (file) => {
      signal?.throwIfAborted();
      if (!(await this.fromRegistry(file, dryRun))) await this.fromSnapshot(file, objects.get(file.sha256), dryRun);
      sum.doneBytes += file.size;
      sum.doneObjects++;
      progress?.({ phase: dryRun ? 'checking' : 'copying', ...sum, ...all });
    });
  }

  /** Lets go of everything. Never rejects: what was done is done, and a sweep takes what stays. */
  async discard(): Promise<void> {
    const staged = this.staged;
    this.held.clear();
    await Promise.allSettled(staged.map((blob) => blob.discard()));
  }

  private async fromRegistry({ sha256 }: NeededFile, dryRun: boolean): Promise<boolean> {
    try {
      const name = this.nameOf(sha256);
      if (!dryRun) this.held.set(sha256, await this.blobs.retain(name));
      else if (await this.blobs.verify(name)) this.held.set(sha256, undefined);
      return this.held.has(sha256);
    } catch (error) {
      if (error instanceof BlobMissing) return false;
      throw error;
    }
  }

  private async fromSnapshot({ sha256, optional }: NeededFile, object: SnapshotObject | undefined, dryRun: boolean): Promise<void> {
    let lost: unknown;
    try {
      if (object === undefined) {
        if (optional !== true)
          this.damaged.push({ path: `blobs/sha256/${sha256.slice(0, 2)}/${sha256}`, detail: 'it is not in the snapshot' });
        return;
      }
      const content = heard(this.source.read(object), (error) => (lost = error));
      if (dryRun) for await (const chunk of content) void chunk;
      this.held.set(sha256, dryRun ? undefined : await this.blobs.stage(content, object.bytes));
      this.copy.blobs++;
      this.copy.bytes += object.bytes;
    } catch (error) {
      // the same word of the registry's own disk says nothing of the snapshot
      if (error !== lost || !hasCode(error, 'SNAPSHOT_DAMAGED', ...LOST)) throw error;
      if (optional !== true) this.damaged.push({ path: object?.path ?? sha256, detail: (error as Error).message });
    }
  }
}

/** The same, and what fails there is told: who takes it in may fail as well. */
async function* heard(source: AsyncIterable<Uint8Array>, tell: (error: unknown) => void): AsyncIterable<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    tell(error);
    throw error;
  }
}
