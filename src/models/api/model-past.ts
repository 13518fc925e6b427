import { Injectable } from '@nestjs/common';
import { ModelBlobs } from '../../storage/blob-store.port';
import { RegistryLog } from '../../storage/event-log.port';
import { ModelNotFound } from '../models.errors';
import type { ModelRecord } from '../registry/registry-records';
import { RegistryState } from '../registry/registry-state';
import { restoredBy } from '../registry/restored-models';

/** How a model was, read from the log. */
@Injectable()
export class ModelPast {
  constructor(
    private readonly state: RegistryState,
    private readonly log: RegistryLog,
    private readonly blobs: ModelBlobs,
  ) {}

  /** @param at ISO 8601, UTC @throws ModelNotFound where there was none then, or it was deleted; LogDamaged */
  async modelAt(name: string, at: string): Promise<ModelRecord> {
    const then = new RegistryState();
    for (const seq of this.state.requireKnown(name).events) {
      const event = await this.log.event(seq);
      if (event.at > at) break;
      then.fold(event, await restoredBy(event, this.blobs, (digest) => this.state.blobName(digest)));
    }
    const model = then.findKnown(name);
    if (model === undefined) throw new ModelNotFound(name, undefined, at);
    if (model.deletion !== undefined) throw new ModelNotFound(name, model.deletion, at);
    return model;
  }
}
