import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { ModelsConfig } from '../config/app-config';
import { ModelBlobs, type StagedBlob } from '../storage/blob-store.port';
import { checked } from '../wire/checked';
import { parseJson } from '../wire/read-json';
import { type FormFile, readMultipart } from '../wire/read-multipart';
import { sparing } from '../wire/sparing';
import { MalformedBody } from '../wire/wire.errors';
import type { Manifest } from './manifest';
import { ModelMetadata } from './model-metadata';
import { fileName, modelName, versionNumber } from './model-name';
import { UploadIncomplete } from './models.errors';
import { type Stage, STAGES } from './registry-event';
import { RegistryJournal } from './registry-journal';

/** A model file that has arrived, and what its uploader says about it. Whoever holds it discards it, published or not. */
export interface Upload {
  readonly model: string;
  readonly file: { readonly name: string; readonly blob: StagedBlob };
  readonly metadata: Manifest['metadata'];
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly stage?: Stage;
  readonly version?: number;
}

const FIELDS = ['name', 'metadata', 'stage', 'version'];
const MAX_METADATA_BYTES = 2 ** 20;
const LIMITS = { maxFiles: 1, maxFields: FIELDS.length, maxFieldBytes: MAX_METADATA_BYTES };

/** Turns the form of an upload into an Upload: the file goes to the staging area while it arrives, never into memory. */
@Injectable()
export class UploadReader {
  constructor(
    private readonly blobs: ModelBlobs,
    private readonly config: ModelsConfig,
    private readonly journal: RegistryJournal,
  ) {}

  /** @throws ReadOnly before anything is read; as readMultipart; SourceTooLarge, NoSpace, InvalidName, UploadIncomplete, MalformedBody: nothing is left then */
  async read(request: IncomingMessage): Promise<Upload> {
    await this.journal.requireWritable();
    let file: Upload['file'] | undefined;
    const take = async ({ filename, content }: FormFile): Promise<void> => {
      const name = fileName(filename);
      file = { name, blob: await this.blobs.stage(sparing(content), this.config.maxUploadBytes) };
    };
    try {
      return describe(await readMultipart(request, LIMITS, take), file);
    } catch (error) {
      await file?.blob.discard();
      throw error;
    }
  }
}

function describe(fields: ReadonlyMap<string, string>, file: Upload['file'] | undefined): Upload {
  for (const name of fields.keys()) {
    if (!FIELDS.includes(name))
      throw new MalformedBody(`There is no part "${name}"`, { field: name, expected: `one of file, ${FIELDS.join(', ')}` });
  }
  const model = modelName(fields.get('name'), 'name');
  if (file === undefined) throw new UploadIncomplete('file', 'one file', 'missing');
  if (file.blob.bytes === 0) throw new UploadIncomplete('file', 'a file with bytes in it', 'an empty file');
  const stage = fields.get('stage');
  const version = fields.get('version');
  return {
    model,
    file,
    ...metadataOf(fields.get('metadata')),
    ...(stage !== undefined && { stage: stageOf(stage) }),
    ...(version !== undefined && { version: versionNumber(version, 'version') }),
  };
}

function metadataOf(text: string | undefined): Pick<Upload, 'metadata' | 'description' | 'tags'> {
  if (text === undefined) return { metadata: {} };
  const { description, tags, ...metadata } = checked(ModelMetadata, parseJson(Buffer.from(text)), 'metadata');
  return { metadata: { ...metadata }, ...(description !== undefined && { description }), ...(tags !== undefined && { tags }) };
}

/** @throws MalformedBody */
function stageOf(text: string): Stage {
  const stage = STAGES.find((known) => known === text);
  if (stage !== undefined) return stage;
  throw new MalformedBody('stage is none that there is', {
    field: 'stage',
    expected: `one of ${STAGES.join(', ')}`,
    actual: text.slice(0, 80),
  });
}
