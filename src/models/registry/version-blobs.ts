import { Injectable } from '@nestjs/common';
import { ModelBlobs, type StagedBlob } from '../../storage/blob-store.port';
import { VersionFaults } from '../serving/version-faults';
import { RegistryState } from './registry-state';

/** Bytes first, then the event that needs them. */
@Injectable()
export class VersionBlobs {
  constructor(
    private readonly state: RegistryState,
    private readonly blobs: ModelBlobs,
    private readonly faults: VersionFaults,
  ) {}

  /**
   * Makes bytes durable under the names that they have now, then commits. Where they were condemned in between, they are written again
   * under their new names, from what is staged.
   * @param commit asks `stand` in its decision; returns `undefined` where the names stand no more
   */
  async keep<T>(staged: readonly StagedBlob[], commit: (stand: () => boolean) => Promise<T | undefined>): Promise<T> {
    for (;;) {
      const names = staged.map(({ digest }) => this.state.blobName(digest));
      for (const [at, blob] of staged.entries()) await this.blobs.put(blob, names[at]);
      for (const name of names) this.faults.healed(name);
      const kept = await commit(() => staged.every(({ digest }, at) => this.state.blobName(digest) === names[at]));
      if (kept !== undefined) return kept;
    }
  }
}
