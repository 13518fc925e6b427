import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { VersionTaken } from './upload.errors';
import { type Change, RegistryChanges } from '../registry/registry-changes';
import type { Decision } from '../registry/registry-journal';
import type { VersionRecord } from '../registry/registry-records';
import { RegistryState } from '../registry/registry-state';
import { VersionBlobs } from '../registry/version-blobs';
import { digestOf } from './manifest';
import { filesOf, manifestOf, type Upload } from './upload-reader';
import { type Proven, VersionProof } from './version-proof';

/** What became of an upload. */
export interface Published {
  readonly record: VersionRecord;
  /** False where an equal version was there already. */
  readonly created: boolean;
}

/** Makes uploads versions: proved, then their bytes durable, then the one event from which on they exist. */
@Injectable()
export class VersionPublisher {
  constructor(
    private readonly state: RegistryState,
    private readonly changes: RegistryChanges,
    private readonly proof: VersionProof,
    private readonly blobs: VersionBlobs,
  ) {}

  /**
   * An equal manifest again gives the same version, and heals its files; one that is equal only to a deleted version is a new one.
   * @throws VersionTaken, NoSpace, CommitUncertain; as VersionProof.prove and RegistryChanges.commit
   */
  async publish(upload: Upload, change: Change): Promise<Published> {
    const { model } = upload;
    const request = requestOf(upload);
    const done = await this.changes.before(model, request, change);
    if (done?.version !== undefined) return { record: this.state.requireVersion(model, done.version), created: true };
    const proven = await this.proof.prove(upload);
    const staged = filesOf(upload).map(({ blob }) => blob);
    return this.blobs.keep(staged, (stand) => this.append(upload, proven, request, change, stand));
  }

  /** @returns `undefined` where the bytes have other names by now */
  private async append(
    { model, version }: Upload,
    proven: Proven,
    request: string,
    change: Change,
    stand: () => boolean,
  ): Promise<Published | undefined> {
    let created = false;
    let number: number | undefined;
    const done = await this.changes.commit(model, request, change, () => {
      number = undefined;
      if (!stand()) return undefined;
      const equal = [...(this.state.find(model)?.versions.values() ?? [])].find(({ digest }) => digest === proven.digest);
      created = equal === undefined;
      number = equal?.version ?? this.freeNumber(model, version);
      if (version !== undefined && number !== version) throw new VersionTaken(model, version);
      return created ? ({ ...proven, version: number } as Decision) : undefined;
    });
    if (done?.version !== undefined) return { record: this.state.requireVersion(model, done.version), created: true };
    return number === undefined ? undefined : { record: this.state.requireVersion(model, number), created };
  }

  /** Numbers are never given twice, also not those of deleted versions. @throws VersionTaken */
  private freeNumber(model: string, wanted: number | undefined): number {
    const known = this.state.findKnown(model);
    if (wanted === undefined) return (known?.highest ?? 0) + 1;
    if (known?.versions.has(wanted) || known?.deletedVersions.has(wanted)) throw new VersionTaken(model, wanted);
    return wanted;
  }
}

/** All that an upload asks for, in a few words. */
function requestOf({ version, stage, description, tags, ...upload }: Upload): string {
  const said = description === undefined && tags === undefined ? '' : JSON.stringify([description, tags]);
  return [
    `publish ${digestOf(manifestOf(upload))}`,
    ...(version === undefined ? [] : [`as ${version}`]),
    ...(stage === undefined ? [] : [`into ${stage}`]),
    ...(said === '' ? [] : [`described by ${createHash('sha256').update(said).digest('hex').slice(0, 16)}`]),
  ].join(' ');
}
