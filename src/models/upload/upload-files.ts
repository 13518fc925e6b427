import { Injectable } from '@nestjs/common';
import { ModelsConfig } from '../../config/app-config';
import type { EngineName } from '../../runtime/model-runtime.port';
import { ModelBlobs, type StagedBlob } from '../../storage/blob-store.port';
import { archiveKindOf, readArchive } from '../../wire/archive/read-archive';
import type { FormFile } from '../../wire/read-multipart';
import { sparing } from '../../wire/sparing';
import { fileName } from '../model-name';
import { MetadataMismatch, UploadIncomplete } from './upload.errors';

/** A file that has arrived. */
export interface UploadFile {
  /** Relative, with slashes where an archive had folders. */
  readonly name: string;
  readonly blob: StagedBlob;
}

const MAX_ENTRIES = 1000;
const MAX_RATIO = 100;
const MAX_PATH_BYTES = 255;

/** Stages what arrives, unpacks an archive, and lets nothing lie about. */
@Injectable()
export class UploadFiles {
  constructor(
    private readonly blobs: ModelBlobs,
    private readonly config: ModelsConfig,
  ) {}

  /** @param taken what has arrived of this upload so far; the file is put there @throws SourceTooLarge, NoSpace, InvalidName */
  async take({ filename, content }: FormFile, taken: UploadFile[]): Promise<void> {
    const name = fileName(filename);
    taken.push({ name, blob: await this.blobs.stage(sparing(content), this.left(taken)) });
  }

  /**
   * The files of an upload: those of an archive where that is all that came, else what came. The archive itself is discarded.
   * @throws ArchiveRefused, ArchiveTooLarge, UploadIncomplete, NoSpace; nothing of the archive's files is left then
   */
  async unpack(taken: readonly UploadFile[]): Promise<readonly UploadFile[]> {
    const [only] = taken;
    if (only === undefined || taken.length > 1 || (await archiveKindOf(only.blob.path)) === undefined) return taken;
    const unpacked: UploadFile[] = [];
    const { maxUploadBytes } = this.config;
    const limits = {
      maxEntries: MAX_ENTRIES,
      maxBytes: maxUploadBytes,
      maxFileBytes: maxUploadBytes,
      maxRatio: MAX_RATIO,
      maxPathBytes: MAX_PATH_BYTES,
    };
    try {
      await readArchive(only.blob.path, limits, async ({ path, content }) => {
        unpacked.push({ name: path, blob: await this.blobs.stage(sparing(content), this.left(unpacked)) });
      });
      await only.blob.discard();
      return unpacked;
    } catch (error) {
      await discardAll(unpacked);
      throw error;
    }
  }

  private left(taken: readonly UploadFile[]): number {
    return this.config.maxUploadBytes - taken.reduce((sum, { blob }) => sum + blob.bytes, 0);
  }
}

/** The file that the engine loads first, then the others by name. @throws UploadIncomplete where nobody can tell which one it is */
export function inOrder(files: readonly UploadFile[]): readonly UploadFile[] {
  const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  const empty = sorted.find(({ blob }) => blob.bytes === 0);
  if (files.length === 0) throw new UploadIncomplete('file', 'one file', 'missing');
  const twice = sorted.find(({ name }, at) => sorted[at + 1]?.name === name);
  if (twice !== undefined) throw new UploadIncomplete('file', 'files with different names', `${twice.name} twice`);
  const models = files.length === 1 ? sorted : modelsAmong(sorted);
  const [model] = models;
  if (model === undefined || models.length > 1) {
    const actual = models.length === 0 ? 'none' : models.map(({ name }) => name).slice(0, 5).join(', '); // prettier-ignore
    throw new UploadIncomplete('file', 'exactly one file that ends in .onnx, or else one model.json', actual);
  }
  if (empty === model) throw new UploadIncomplete('file', 'a file with bytes in it', 'an empty file');
  return [model, ...sorted.filter((file) => file !== model)];
}

/** Which engine a model file is for: JSON is what TensorFlow.js begins with. @throws MetadataMismatch where another one is wanted */
export function engineOf(name: string, wanted: EngineName | 'auto' = 'auto'): EngineName {
  const engine = /\.json$/i.test(name) ? 'tfjs' : 'onnx';
  if (wanted === 'auto' || wanted === engine) return engine;
  throw new MetadataMismatch({ field: 'metadata.engine', expected: `auto or ${engine}, as the model file is "${name}"`, actual: wanted });
}

function modelsAmong(files: readonly UploadFile[]): readonly UploadFile[] {
  const [onnx, json, named] = [/\.onnx$/i, /\.json$/i, /(^|\/)model\.json$/i].map((end) => files.filter(({ name }) => end.test(name)));
  if (onnx?.length !== 0) return onnx ?? [];
  return json?.length === 1 ? json : (named ?? []);
}

/** Takes files out of the staging area. */
export async function discardAll(files: readonly UploadFile[]): Promise<void> {
  await Promise.all(files.map(({ blob }) => blob.discard()));
}
