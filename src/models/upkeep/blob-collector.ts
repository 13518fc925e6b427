import { Injectable, Logger } from '@nestjs/common';
import { ModelBlobs } from '../../storage/blob-store.port';
import { RegistryJournal } from '../registry/registry-journal';
import { RegistryState } from '../registry/registry-state';

/** What a collection leaves alone. */
export interface CollectionLimits {
  /** Younger blobs stay: their event may be on its way. */
  readonly minAgeMs: number;
  /** What was deleted less long ago may come back. */
  readonly undeleteMs: number;
}

/** What a collection took away. */
export interface Collection {
  /** Digests that nothing referred to, condemned by an event before their bytes went. */
  readonly condemned: readonly string[];
  readonly bytes: number;
}

/** Takes away blobs that no version needs: of what was deleted long ago, and of uploads that were lost between their bytes and their event. */
@Injectable()
export class BlobCollector {
  private readonly logger = new Logger(BlobCollector.name);

  constructor(
    private readonly state: RegistryState,
    private readonly journal: RegistryJournal,
    private readonly blobs: ModelBlobs,
  ) {}

  /**
   * The event comes first: whoever needs one of these blobs from then on writes it under a new name, so that a collector that wakes
   * late, in whatever process, can only take away a name that nobody will look for.
   * @throws CommitUncertain: nothing was taken away then
   */
  async collect(actor: string, { minAgeMs, undeleteMs }: CollectionLimits): Promise<Collection> {
    const old = new Map<string, number>();
    for await (const { name, bytes, writtenAt } of this.blobs.list()) {
      if (Date.now() - writtenAt >= minAgeMs) old.set(name, bytes);
    }
    let condemned: readonly string[] = [];
    let removable: readonly string[] = [];
    await this.journal.commit(actor, () => {
      const referenced = this.state.referenced(new Date(Date.now() - undeleteMs).toISOString());
      removable = [...old.keys()].filter((name) => !referenced.has(name));
      condemned = removable.filter((name) => this.state.blobName(digestOf(name)) === name).map(digestOf);
      return condemned.length === 0 ? undefined : { kind: 'blobs.condemned', digests: condemned };
    });
    for (const name of removable) await this.blobs.remove(name);
    const bytes = removable.reduce((sum, name) => sum + (old.get(name) ?? 0), 0);
    if (removable.length > 0) this.logger.log('blobs collected', { blobs: removable.length, bytes });
    return { condemned, bytes };
  }
}

function digestOf(name: string): string {
  return name.slice(0, 64);
}
