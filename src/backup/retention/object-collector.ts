import { Injectable } from '@nestjs/common';
import type { BlobName } from '../../storage/blob-store.port';
import { CorrelationContext } from '../../logging/correlation-context';
import type { BackupHistory } from '../snapshot/backup-history';
import { BackupRepository } from '../snapshot/backup-repository';
import { storedNames } from '../snapshot/snapshot-manifest';
import { SnapshotManifests } from '../snapshot/snapshot-manifests';
import type { SnapshotId, SnapshotRecord } from '../snapshot/snapshot-records';
import { CollectionRefused, PlanOutdated } from './retention.errors';
import { UnreferencedObjects } from './unreferenced-objects';

/** What a collection does. */
export interface CollectionPlan {
  /** Snapshots whose objects stay: those that are there, and those that were deleted so lately that they may come back. */
  readonly keptFor: readonly SnapshotId[];
  /** SHA-256 of stored bytes that are called otherwise from the event on. */
  readonly condemn: readonly string[];
  /** Names that are taken away after it, in the order of names; those that an earlier collection left are among them. */
  readonly remove: readonly BlobName[];
  readonly bytes: number;
}

/** Takes away objects that no snapshot needs: of snapshots that were deleted long enough ago, and of backups that never came to their end. */
@Injectable()
export class ObjectCollector {
  constructor(
    private readonly repository: BackupRepository,
    private readonly manifests: SnapshotManifests,
    private readonly unreferenced: UnreferencedObjects,
  ) {}

  /**
   * Objects go that were seen unneeded at least `minAgeMs` ago and are not needed now, nor by what was deleted less long ago.
   * @param unlogged snapshots that only the disk knows @throws CollectionRefused where nobody can tell what is needed
   */
  async plan(history: BackupHistory, unlogged: readonly SnapshotRecord[], at: Date, minAgeMs: number): Promise<CollectionPlan> {
    const { foreign } = history;
    if (foreign !== undefined) {
      throw new CollectionRefused(`event ${foreign.seq} is of the kind "${foreign.kind}", which a newer version of the service wrote`);
    }
    const keptFor = needing(history, at, minAgeMs);
    const needed = await this.neededBy(history, [...keptFor, ...unlogged]);
    const seen = await this.unreferenced.read();
    const [remove, condemn]: [BlobName[], string[]] = [[], []];
    let bytes = 0;
    for (const [name, size] of await this.repository.scan()) {
      const isCurrent = history.blobName(digestOf(name)) === name;
      const isRipe = (seen.get(name) ?? Number.POSITIVE_INFINITY) <= at.getTime() - minAgeMs;
      if (needed.has(name) || (isCurrent && !isRipe)) continue;
      remove.push(name);
      if (isCurrent) condemn.push(digestOf(name));
      bytes += size;
    }
    return { keptFor: keptFor.map(({ id }) => id), condemn, remove, bytes };
  }

  /**
   * The event comes first: whoever needs one of these objects from then on writes it under a new name, so that a collector that wakes
   * late can only take away a name that nobody will look for.
   * @throws PlanOutdated where a snapshot came that the plan did not know, or another collector was faster; CommitUncertain: nothing was
   *   taken away then; AbortError: what is left the next one takes away
   */
  async collect(
    { keptFor, condemn, remove }: CollectionPlan,
    minAgeMs: number,
    at: Date,
    actor: string,
    signal?: AbortSignal,
  ): Promise<void> {
    const known = new Set(keptFor);
    const names = new Set(remove);
    if (condemn.length > 0) {
      await this.repository.commit((history) => {
        signal?.throwIfAborted();
        const late = needing(history, at, minAgeMs).find(({ id }) => !known.has(id));
        const taken = condemn.find((digest) => !names.has(history.blobName(digest)));
        if (late !== undefined || taken !== undefined) {
          throw new PlanOutdated(
            'the snapshots and objects of the plan',
            late === undefined ? `${taken} was collected` : `${late.id} came`,
          );
        }
        const correlationId = CorrelationContext.current?.correlationId ?? 'none';
        return { kind: 'blobs.condemned', digests: condemn, actor, correlationId };
      });
    }
    for (const name of remove) {
      signal?.throwIfAborted();
      await this.repository.blobs.remove(name);
    }
  }

  /** Looks what no snapshot needs now, and remembers since when. @throws CollectionRefused */
  async note(unlogged: readonly SnapshotRecord[], at: Date): Promise<void> {
    const history = await this.repository.history();
    const there = [...history.snapshots.values()].filter(({ deleted }) => deleted === undefined);
    const needed = await this.neededBy(history, [...there, ...unlogged]);
    const names = [...(await this.repository.scan()).keys()];
    await this.unreferenced.note(
      names.filter((name) => !needed.has(name)),
      at,
    );
  }

  private async neededBy(history: BackupHistory, snapshots: readonly SnapshotRecord[]): Promise<ReadonlySet<BlobName>> {
    const needed = new Set<BlobName>();
    for (const { id, manifest } of snapshots) {
      needed.add(history.snapshots.has(id) ? history.manifestBlob(id) : manifest);
      for (const name of await this.namesOf(id, history)) needed.add(name);
    }
    return needed;
  }

  private async namesOf(id: SnapshotId, history: BackupHistory): Promise<ReadonlySet<BlobName>> {
    try {
      return storedNames(await this.manifests.of(id, history));
    } catch (error) {
      throw new CollectionRefused(`what the snapshot ${id} needs cannot be read`, { cause: error });
    }
  }
}

/** The snapshots that are there, and those that were deleted less than `minAgeMs` ago. */
function needing(history: BackupHistory, at: Date, minAgeMs: number): readonly SnapshotRecord[] {
  const since = new Date(at.getTime() - minAgeMs).toISOString();
  return [...history.snapshots.values()].filter(({ deleted }) => deleted === undefined || deleted.at > since);
}

function digestOf(name: BlobName): string {
  return name.slice(0, 64);
}
