import { Injectable } from '@nestjs/common';
import { ModelDescription } from '../registry/model-description';
import type { Change } from '../registry/registry-changes';
import { VersionStages } from '../registry/version-stages';
import { ModelCatalog } from '../serving/model-catalog';
import { discardAll } from './upload-files';
import { filesOf, type Upload } from './upload-reader';
import { type Published, VersionPublisher } from './version-publisher';

/** An upload as a whole: the version, and what else its form says. */
@Injectable()
export class ModelUpload {
  constructor(
    private readonly publisher: VersionPublisher,
    private readonly description: ModelDescription,
    private readonly stages: VersionStages,
    private readonly catalog: ModelCatalog,
  ) {}

  /**
   * Publishes, describes, promotes, in this order: where a later step is refused, what came before it stands, and the same upload again
   * goes on there. The upload is discarded, whatever happens.
   * @throws as VersionPublisher.publish; with `stage` also as VersionStages.move
   */
  async accept(upload: Upload, change: Change): Promise<Published> {
    const { model, stage, description, tags } = upload;
    try {
      const published = await this.publisher.publish(upload, change);
      const said = { ...(description !== undefined && { description }), ...(tags !== undefined && { tags }) };
      // who says nothing of the model does not care that it was deleted meanwhile
      if (Object.keys(said).length > 0) await this.description.describe(model, said, stepOf(change, 'description'));
      // a new version is in staging: asked for again under its key, it stays where somebody may have moved it since
      const moves = stage !== undefined && !(published.created && stage === 'staging');
      if (moves) await this.stages.move(model, published.record.version, stage, stepOf(change, 'stage'));
      // an upload that healed a damaged file may be what its production version waited for
      await this.catalog.loadProduction(model);
      return published;
    } finally {
      await discardAll(filesOf(upload));
    }
  }
}

/** What follows from the same request: done once as well, and on the state that the step before it left. */
function stepOf({ actor, reason, idempotencyKey: key }: Change, step: string): Change {
  return { actor, ...(reason !== undefined && { reason }), ...(key !== undefined && { idempotencyKey: `${key} ${step}` }) };
}
