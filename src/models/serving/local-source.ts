import type { ModelSource } from '../../runtime/model-runtime.port';
import type { BlobStore, LocalBlob } from '../../storage/blob-store.port';
import type { VersionRecord } from '../registry/registry-records';
import { loadedFiles, sourceDigest } from '../upload/manifest';

/** What the engine of a version loads, as local files; readable until `release`. */
export interface LocalSource {
  readonly source: ModelSource;
  release(): Promise<void>;
}

/** @throws BlobMissing; nothing is held then */
export async function localSource(
  blobs: Pick<BlobStore, 'local'>,
  { engine, manifest, blobs: names }: VersionRecord,
): Promise<LocalSource> {
  const files = loadedFiles(engine, manifest.files);
  const held: LocalBlob[] = [];
  const release = async (): Promise<void> => void (await Promise.all(held.map((blob) => blob.release())));
  try {
    for (const at of files.keys()) held.push(await blobs.local(names[at] as string));
  } catch (error) {
    await release();
    throw error;
  }
  const path = (held[0] as LocalBlob).path;
  const source = { engine, path, sha256: sourceDigest(files) };
  if (files.length === 1) return { source, release };
  const parts = files.map(({ path: name, sha256 }, at) => ({ name, path: (held[at] as LocalBlob).path, sha256 }));
  return { source: { ...source, parts }, release };
}
