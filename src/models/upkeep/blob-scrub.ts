import { Injectable, Logger } from '@nestjs/common';
import { type BlobName, ModelBlobs } from '../../storage/blob-store.port';
import { LOG_START, RegistryLog } from '../../storage/event-log.port';
import { BlobMissing } from '../../storage/storage.errors';
import { RegistryState } from '../registry/registry-state';
import { VersionFaults } from '../serving/version-faults';

/** Reads everything that is stored, by rotation, and says what is not what it should be. */
@Injectable()
export class BlobScrub {
  private readonly logger = new Logger(BlobScrub.name);
  /** The name after which the next slice begins; each start begins somewhere else, so that short lives cover everything too. */
  private cursor: BlobName = Math.random().toString(16).slice(2, 10);

  constructor(
    private readonly state: RegistryState,
    private readonly blobs: ModelBlobs,
    private readonly log: RegistryLog,
    private readonly faults: VersionFaults,
  ) {}

  /**
   * Checks the next blobs of the rotation; at the beginning of one, the whole chain of events too.
   * @param share how much of everything, 0 to 1, in bytes; at least one blob
   * @throws LogDamaged where the chain does not hold
   */
  async slice(share: number): Promise<void> {
    const all = [...this.sizes()].sort(([a], [b]) => (a < b ? -1 : 1));
    let budget = all.reduce((sum, [, bytes]) => sum + bytes, 0) * share;
    const rest = all.filter(([name]) => name > this.cursor);
    for (const [name, bytes] of rest.length > 0 ? rest : all) {
      await this.check(name);
      this.cursor = name;
      if ((budget -= bytes) <= 0) break;
    }
    // last: a log that is damaged must not keep blobs from being read
    if (rest.length === 0) await this.checkLog();
  }

  private sizes(): ReadonlyMap<BlobName, number> {
    const versions = this.state.list().flatMap((model) => [...model.versions.values()]);
    const files = versions.flatMap(({ blobs, manifest }) => blobs.map((name, at) => [name, manifest.files[at]?.size ?? 0] as const));
    return new Map([...files, ...this.state.restoredStates]);
  }

  private async check(name: BlobName): Promise<void> {
    // a second look: it may have been healed while it was read
    if ((await this.isWhole(name)) || (await this.isWhole(name))) return this.faults.healed(name);
    this.faults.noteDamage(name);
    this.logger.error('blob damaged', { blob: name });
  }

  private async isWhole(name: BlobName): Promise<boolean> {
    try {
      return await this.blobs.verify(name);
    } catch (error) {
      if (error instanceof BlobMissing) return false;
      throw error;
    }
  }

  private async checkLog(): Promise<void> {
    for await (const { position } of this.log.read(LOG_START)) void position;
  }
}
