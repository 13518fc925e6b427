import { Injectable } from '@nestjs/common';
import { ModelBlobs, type StagedBlob } from '../../storage/blob-store.port';
import { BlobMissing } from '../../storage/storage.errors';
import { VersionNotFound } from '../models.errors';
import { BytesCollected, NotDeleted, VersionInUse } from './registry.errors';
import { ModelCatalog } from '../serving/model-catalog';
import { type Change, RegistryChanges } from './registry-changes';
import type { DeletedVersion, ModelRecord, VersionRecord } from './registry-records';
import { RegistryState } from './registry-state';
import { VersionBlobs } from './version-blobs';

/** Takes versions and models out of sight, and brings them back for as long as their bytes are there. */
@Injectable()
export class VersionDeletion {
  constructor(
    private readonly state: RegistryState,
    private readonly changes: RegistryChanges,
    private readonly catalog: ModelCatalog,
    private readonly blobs: ModelBlobs,
    private readonly versionBlobs: VersionBlobs,
  ) {}

  /** @throws ModelNotFound, VersionNotFound, VersionInUse; as RegistryChanges.commit */
  async deleteVersion(model: string, version: number, change: Change): Promise<void> {
    let record: VersionRecord | undefined;
    await this.changes.commit(model, `delete ${version}`, change, () => {
      record = this.state.requireVersion(model, version);
      this.refuseInUse(record);
      return { kind: 'version.deleted', model, version };
    });
    if (record !== undefined) await this.catalog.drop(record);
  }

  /** With all its versions. @throws ModelNotFound, VersionInUse; as RegistryChanges.commit */
  async deleteModel(model: string, change: Change): Promise<void> {
    let records: readonly VersionRecord[] = [];
    await this.changes.commit(model, 'delete all', change, () => {
      records = [...this.state.require(model).versions.values()];
      for (const record of records) this.refuseInUse(record);
      return { kind: 'model.deleted', model };
    });
    for (const record of records) await this.catalog.drop(record);
  }

  /** Brings a version back, in the stage in which it was. @throws ModelNotFound, VersionNotFound, NotDeleted, BytesCollected, NoSpace; as RegistryChanges.commit */
  async undeleteVersion(model: string, version: number, change: Change): Promise<VersionRecord> {
    const request = `undelete ${version}`;
    if ((await this.changes.before(model, request, change)) === undefined) {
      await this.bringBack(model, [this.deletedVersion(model, version)], (stand) =>
        this.changes.commit(model, request, change, () => {
          this.deletedVersion(model, version);
          return stand() ? { kind: 'version.undeleted', model, version } : undefined;
        }),
      );
    }
    return this.state.requireVersion(model, version);
  }

  /** Brings a model back, with the versions that went with it. @throws ModelNotFound, NotDeleted, BytesCollected, NoSpace; as RegistryChanges.commit */
  async undeleteModel(model: string, change: Change): Promise<ModelRecord> {
    const request = 'undelete all';
    let done = (await this.changes.before(model, request, change)) !== undefined;
    while (!done) {
      const gone = this.deletedTogether(model);
      const { deletion } = this.state.requireKnown(model);
      done = true;
      await this.bringBack(model, gone, (stand, versions) =>
        this.changes.commit(model, request, change, () => {
          this.deletedTogether(model);
          // where somebody brought it back and deleted it again, other versions may have gone with it
          done = this.state.requireKnown(model).deletion === deletion;
          return done && stand() ? { kind: 'model.undeleted', model, versions } : undefined;
        }),
      );
    }
    return this.state.require(model);
  }

  /**
   * Makes the bytes of those versions durable whose bytes are all there still, then commits. They are held on to meanwhile, so that no
   * collection takes them.
   * @throws BytesCollected where there are versions, and no bytes of any
   */
  private async bringBack(
    model: string,
    gone: readonly DeletedVersion[],
    commit: (stand: () => boolean, versions: readonly number[]) => Promise<unknown>,
  ): Promise<void> {
    const staged: StagedBlob[] = [];
    const versions: number[] = [];
    try {
      for (const { record } of gone) if (await this.holdFiles(record, staged)) versions.push(record.version);
      if (versions.length === 0 && gone.length > 0) throw new BytesCollected(model, gone.map(({ record }) => record.version)); // prettier-ignore
      await this.versionBlobs.keep(staged, async (stand) => {
        let stood = true;
        await commit(() => (stood = stand()), versions);
        return stood || undefined;
      });
    } finally {
      await Promise.all(staged.map((blob) => blob.discard()));
    }
  }

  /**
   * Under their names of now, which an upload may have written anew; else under those that they had.
   * @param staged takes what is held, if all of it is there @returns whether it is
   */
  private async holdFiles({ manifest, blobs }: VersionRecord, staged: StagedBlob[]): Promise<boolean> {
    const before = staged.length;
    for (const [at, { sha256 }] of manifest.files.entries()) {
      const blob = (await this.retained(this.state.blobName(sha256))) ?? (await this.retained(blobs[at] as string));
      if (blob === undefined) {
        await Promise.all(staged.splice(before).map((each) => each.discard()));
        return false;
      }
      staged.push(blob);
    }
    return true;
  }

  private async retained(name: string): Promise<StagedBlob | undefined> {
    try {
      return await this.blobs.retain(name);
    } catch (error) {
      if (error instanceof BlobMissing) return undefined;
      throw error;
    }
  }

  /** @throws ModelNotFound, VersionNotFound, NotDeleted */
  private deletedVersion(model: string, version: number): DeletedVersion {
    const { versions, deletedVersions } = this.state.require(model);
    const deleted = deletedVersions.get(version);
    if (deleted !== undefined) return deleted;
    throw versions.has(version) ? new NotDeleted(model, version) : new VersionNotFound(model, version, [...versions.keys()]);
  }

  /** The versions that were deleted with the model, not before it. @throws ModelNotFound, NotDeleted */
  private deletedTogether(model: string): readonly DeletedVersion[] {
    const { deletion, deletedVersions } = this.state.requireKnown(model);
    if (deletion === undefined) throw new NotDeleted(model);
    return [...deletedVersions.values()].filter((deleted) => deleted.deletion.seq === deletion.seq);
  }

  /** @throws VersionInUse */
  private refuseInUse(record: VersionRecord): void {
    const { model, version, stage } = record;
    const alias = [...this.state.require(model).aliases].find(([, target]) => target === version)?.[0];
    if (stage === 'production') throw new VersionInUse(model, version, 'it is in production', 'Archive it, or promote another one, first');
    if (alias !== undefined) throw new VersionInUse(model, version, `the alias "${alias}" points at it`, 'Point it elsewhere, or remove it, first'); // prettier-ignore
    if (this.catalog.isBusy(record)) throw new VersionInUse(model, version, 'calls run on it', 'Try again when they have ended');
  }
}
