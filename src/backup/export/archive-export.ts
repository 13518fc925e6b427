import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { type PackedFile, packTarGz } from '../../wire/archive/pack-archive';
import { BackupRepository } from '../snapshot/backup-repository';
import { registryOf } from '../snapshot/log-replay';
import type { SnapshotManifest, SnapshotObject } from '../snapshot/snapshot-manifest';
import { SnapshotManifests } from '../snapshot/snapshot-manifests';
import { SnapshotObjects } from '../snapshot/snapshot-objects';
import { checkSignature, SnapshotSeal } from '../snapshot/snapshot-seal';
import { SnapshotDamaged } from '../snapshot/snapshot.errors';
import type { Progress, SnapshotId } from '../snapshot/snapshot-records';
import { archiveFiles } from './archive-layout';

/** Weights hardly become less, and a backup is waited for. */
const FAST = 1;

/** A snapshot on its way out. */
export interface ExportedArchive {
  /** A `.tar.gz`, made while it is read; it fails where an object is not what the snapshot promises. */
  readonly content: Readable;
  readonly fileName: string;
}

/** Gives a snapshot away as one file that every `tar` opens. The same snapshot makes the same bytes. */
@Injectable()
export class ArchiveExport {
  constructor(
    private readonly repository: BackupRepository,
    private readonly manifests: SnapshotManifests,
    private readonly objects: SnapshotObjects,
    private readonly seal: SnapshotSeal,
  ) {}

  /**
   * @param progress is told of every piece
   * @throws SnapshotNotFound; SnapshotForged, BackupKeyWrong, BackupKeyRefused; SnapshotDamaged, SnapshotNewer, LogDamaged
   */
  async open(id: SnapshotId, progress?: (progress: Progress) => void): Promise<ExportedArchive> {
    const manifest = await this.manifests.of(id);
    checkSignature(manifest, await this.seal.key(), true); // what leaves is no less to be trusted than what is here
    await this.requireWhole(manifest);
    const read = (object: SnapshotObject): AsyncIterable<Uint8Array> => this.objects.read(object, manifest.encryption);
    const files = archiveFiles(manifest, await registryOf(manifest, read), read);
    return { content: packTarGz(progress === undefined ? files : counted(files, progress), FAST), fileName: `${id}.tar.gz` };
  }

  /** Before the first byte has left: later an archive can only be broken off. */
  private async requireWhole({ objects }: SnapshotManifest): Promise<void> {
    const scan = await this.repository.scan();
    const lost = objects.find(({ stored, storedBytes }) => scan.get(stored) !== storedBytes);
    if (lost === undefined) return;
    throw new SnapshotDamaged(`The object ${lost.path}`, scan.has(lost.stored) ? 'it has another size' : 'it is not there');
  }
}

/** The same files, whose bytes are counted as they pass. */
function counted(files: readonly PackedFile[], tell: (progress: Progress) => void): readonly PackedFile[] {
  const all = { allBytes: files.reduce((sum, { bytes }) => sum + bytes, 0), allObjects: files.length };
  let [doneBytes, doneObjects] = [0, 0];
  async function* count(content: Readable): AsyncIterable<Uint8Array> {
    for await (const chunk of content as AsyncIterable<Uint8Array>) {
      doneBytes += chunk.length;
      tell({ phase: 'export', doneBytes, doneObjects, ...all });
      yield chunk;
    }
    doneObjects++;
  }
  const open = async (file: PackedFile): Promise<Readable> => {
    const content = await file.open();
    return Readable.from(count(content), { objectMode: false }).once('close', () => content.destroy());
  };
  return files.map((file) => ({ ...file, open: () => open(file) }));
}
