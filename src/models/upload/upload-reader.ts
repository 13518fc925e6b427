import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { HttpConfig } from '../../config/app-config';
import { Forbidden } from '../../auth/auth.errors';
import type { Caller } from '../../auth/caller';
import { checked } from '../../wire/checked';
import { parseJson } from '../../wire/strict-json';
import { readMultipart } from '../../wire/read-multipart';
import { MalformedBody } from '../../wire/wire.errors';
import type { ModelSource } from '../../runtime/model-runtime.port';
import { loadedFiles, type Manifest, sourceDigest } from './manifest';
import { ModelMetadata } from './model-metadata';
import { modelName, versionNumber } from '../model-name';
import { type Stage, STAGES } from '../registry/registry-event';
import { RegistryJournal } from '../registry/registry-journal';
import { discardAll, engineOf, inOrder, type UploadFile, UploadFiles } from './upload-files';

/** A model file that has arrived, and what its uploader says about it. Whoever holds it discards it, published or not. */
export interface Upload {
  readonly model: string;
  /** The file that the engine loads first. */
  readonly file: UploadFile;
  /** What else belongs to the artifact, by name. */
  readonly others?: readonly UploadFile[];
  readonly metadata: Manifest['metadata'];
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly stage?: Stage;
  readonly version?: number;
}

/** All files of an upload, the one that the engine loads first. */
export function filesOf({ file, others = [] }: Upload): readonly UploadFile[] {
  return [file, ...others];
}

/** What the version will be. */
export function manifestOf(upload: Upload): Manifest {
  const files = filesOf(upload).map(({ name, blob }) => ({ path: name, size: blob.bytes, sha256: blob.digest }));
  return { files, metadata: upload.metadata };
}

/** What the engine loads of it. @throws MetadataMismatch where the metadata want another engine */
export function sourceOf(upload: Upload): ModelSource {
  const { metadata, file } = upload;
  const engine = engineOf(file.name, metadata.engine);
  const loaded = loadedFiles(engine, manifestOf(upload).files);
  const source = { engine, path: file.blob.path, sha256: sourceDigest(loaded) };
  if (loaded.length === 1) return source;
  const parts = filesOf(upload).map(({ name, blob }) => ({ name, path: blob.path, sha256: blob.digest }));
  return { ...source, parts };
}

const FIELDS = ['name', 'metadata', 'stage', 'version'];
const MAX_METADATA_BYTES = 2 ** 20;
/** Metadata has maps by the name of a feature. */
const METADATA_RULES = { maxKeys: 16_384 };
const LIMITS = { maxFiles: 100, maxFields: FIELDS.length, maxFieldBytes: MAX_METADATA_BYTES } as const;

/** Turns the form of an upload into an Upload: the file goes to the staging area while it arrives, never into memory. */
@Injectable()
export class UploadReader {
  constructor(
    private readonly files: UploadFiles,
    private readonly journal: RegistryJournal,
    private readonly config: HttpConfig,
  ) {}

  /** @throws ReadOnly before anything is read; as readMultipart, UploadFiles; Forbidden, InvalidName, UploadIncomplete, MalformedBody: nothing is left then */
  async read(request: IncomingMessage, caller: Caller): Promise<Upload> {
    await this.journal.requireWritable();
    const taken: UploadFile[] = [];
    let files: readonly UploadFile[] = taken;
    try {
      const fields = await readMultipart(request, { ...LIMITS, bodySeconds: this.config.bodySeconds }, (file) =>
        this.files.take(file, taken),
      );
      const said = describe(fields);
      if (!caller.mayUse(said.model) || !mayMove(caller, said.stage)) throw new Forbidden();
      files = await this.files.unpack(taken);
      const [file, ...others] = inOrder(files) as [UploadFile, ...UploadFile[]];
      return { ...said, file, ...(others.length > 0 && { others }) };
    } catch (error) {
      await discardAll(files);
      throw error;
    }
  }
}

function describe(fields: ReadonlyMap<string, string>): Omit<Upload, 'file' | 'others'> {
  for (const name of fields.keys()) {
    if (!FIELDS.includes(name))
      throw new MalformedBody(`There is no part "${name}"`, { field: name, expected: `one of file, ${FIELDS.join(', ')}` });
  }
  const model = modelName(fields.get('name'), 'name');
  const stage = fields.get('stage');
  const version = fields.get('version');
  return {
    model,
    ...metadataOf(fields.get('metadata')),
    ...(stage !== undefined && { stage: stageOf(stage) }),
    ...(version !== undefined && { version: versionNumber(version, 'version') }),
  };
}

function metadataOf(text: string | undefined): Pick<Upload, 'metadata' | 'description' | 'tags'> {
  if (text === undefined) return { metadata: {} };
  const { description, tags, ...metadata } = checked(ModelMetadata, parseJson(Buffer.from(text), METADATA_RULES), 'metadata');
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

/** What the upload's stage asks for beside the upload: as the promotion of the version would. */
function mayMove(caller: Caller, stage: Stage | undefined): boolean {
  return stage === undefined || caller.may('promote') || (stage !== 'production' && caller.may('promote:staging'));
}
