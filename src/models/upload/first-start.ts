import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable, Logger } from '@nestjs/common';
import { ModelsConfig } from '../../config/app-config';
import { hasCode } from '../../errors/has-code';
import { CorrelationContext } from '../../logging/correlation-context';
import { ModelBlobs } from '../../storage/blob-store.port';
import { RegistryState } from '../registry/registry-state';
import { ModelUpload } from './model-upload';

/** The model that a first start puts in, and a request to try it with (JSON). */
export interface Example {
  readonly model: string;
  readonly request: string;
}

// both from src/ (tests) and from dist/
const EXAMPLES = join(__dirname, '..', '..', '..', 'examples');
const MODEL = 'iris';
const ACTOR = 'first-start';

/** Gives a registry that never held anything its first model, so that there is something to try. */
@Injectable()
export class FirstStart {
  private readonly logger = new Logger(FirstStart.name);

  constructor(
    private readonly state: RegistryState,
    private readonly uploads: ModelUpload,
    private readonly blobs: ModelBlobs,
    private readonly config: ModelsConfig,
  ) {}

  /** @returns what was published and promoted; `undefined` where there was nothing to do */
  async welcome(): Promise<Example | undefined> {
    if (this.config.examples === 'off' || !this.isFirst()) return undefined;
    try {
      return await CorrelationContext.run({ correlationId: `example-${randomUUID()}` }, () => this.publish());
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      this.logger.warn('no example published: the folder "examples" is not there');
      return undefined;
    }
  }

  /** Nothing but the registry's own first event, or a first start that was killed before the example was in production. */
  private isFirst(): boolean {
    const { position } = this.state;
    const begun = this.state.find(MODEL)?.versions.get(1);
    return position.seq <= 1 || (position.seq <= 3 && begun?.publishedBy === ACTOR && begun.stage === 'staging');
  }

  private async publish(): Promise<Example> {
    const folder = join(EXAMPLES, MODEL);
    const { description, tags, ...metadata } = JSON.parse(await readFile(join(folder, 'metadata.json'), 'utf8')) as Record<string, unknown>;
    const request = JSON.stringify(JSON.parse(await readFile(join(folder, 'request.json'), 'utf8')));
    const blob = await this.blobs.stage(createReadStream(join(folder, 'model.onnx')), 2 ** 20);
    const upload = { model: MODEL, file: { name: 'model.onnx', blob }, metadata, stage: 'production' as const };
    await this.uploads.accept({ ...upload, description: String(description), tags: tags as readonly string[] }, { actor: ACTOR });
    this.logger.log('example published and promoted', { model: MODEL });
    return { model: MODEL, request };
  }
}
