import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { ModelBlobs } from '../../storage/blob-store.port';
import { packTarGz } from '../../wire/archive/pack-archive';
import type { ManifestFile } from '../upload/manifest';
import type { VersionRecord } from '../registry/registry-records';

/** The files of a version, as somebody downloads them. */
export interface Artifact {
  readonly content: Readable;
  readonly type: string;
  readonly fileName: string;
  /** undefined where nobody knows before it is packed. */
  readonly bytes: number | undefined;
}

/** Gives the files of a version back: one as itself, several as a tar.gz that can be uploaded again. */
@Injectable()
export class ModelArtifact {
  constructor(private readonly blobs: ModelBlobs) {}

  /** @throws BlobMissing */
  async open({ model, version, manifest, blobs }: VersionRecord): Promise<Artifact> {
    const [only, ...others] = manifest.files as [ManifestFile, ...ManifestFile[]];
    if (others.length === 0) {
      const content = await this.blobs.open(blobs[0] as string);
      return { content, type: 'application/octet-stream', fileName: basename(only.path), bytes: only.size };
    }
    const files = manifest.files.map(({ path, size }, at) => ({ path, bytes: size, open: () => this.blobs.open(blobs[at] as string) }));
    return { content: packTarGz(files), type: 'application/gzip', fileName: `${model}-${version}.tar.gz`, bytes: undefined };
  }
}
