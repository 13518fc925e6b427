import { Injectable } from '@nestjs/common';
import { ModelBlobs, type StagedBlob } from '../../storage/blob-store.port';
import { BlobMissing } from '../../storage/storage.errors';
import { BytesCollected, NotDeleted, VersionInUse, VersionNotFound } from '../models.errors';
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
      const held = await this.hold([this.deletedVersion(model, version)]);
      if (held.versions.length === 0) throw new BytesCollected(model, [version]);
      await this.bringBack(held.staged, (stand) =>
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
    if ((await this.changes.before(model, request, change)) === undefined) {
      const gone = this.deletedTogether(model);
      const { versions, staged } = await this.hold(gone);
      if (versions.length === 0 && gone.length > 0) throw new BytesCollected(model, gone.map(({ record }) => record.version)); // prettier-ignore
      await this.bringBack(staged, (stand) =>
        this.changes.commit(model, request, change, () => {
          this.deletedTogether(model);
          return stand() ? { kind: 'model.undeleted', model, versions } : undefined;
        }),
      );
    }
    return this.state.require(model);
  }

  private async bringBack(staged: readonly StagedBlob[], commit: (stand: () => boolean) => Promise<unknown>): Promise<void> {
    try {
      await this.versionBlobs.keep(staged, async (stand) => {
        let stood = true;
        await commit(() => (stood = stand()));
        return stood || undefined;
      });
    } finally {
      await Promise.all(staged.map((blob) => blob.discard()));
    }
  }

  /** Holds on to the bytes of those versions whose bytes are all there still, so that no collection takes them meanwhile. */
  private async hold(
    gone: readonly DeletedVersion[],
  ): Promise<{ readonly versions: readonly number[]; readonly staged: readonly StagedBlob[] }> {
    const versions: number[] = [];
    const staged: StagedBlob[] = [];
    for (const { record } of gone) {
      const held = await this.holdFiles(record);
      if (held === undefined) continue;
      versions.push(record.version);
      staged.push(...held);
    }
    return { versions, staged };
  }

  /** Under their names of now, which an upload may have written anew; else under those that they had. */
  private async holdFiles({ manifest, blobs }: VersionRecord): Promise<readonly StagedBlob[] | undefined> {
    const held: StagedBlob[] = [];
    for (const [at, { sha256 }] of manifest.files.entries()) {
      const blob = (await this.retained(this.state.blobName(sha256))) ?? (await this.retained(blobs[at] as string));
      if (blob === undefined) {
        await Promise.all(held.map((each) => each.discard()));
        return undefined;
      }
      held.push(blob);
    }
    return held;
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
