import { Injectable, Logger } from '@nestjs/common';
import { type BlobName, ModelBlobs } from '../storage/blob-store.port';
import { LOG_START, RegistryLog } from '../storage/event-log.port';
import { BlobMissing } from '../storage/storage.errors';
import { StorageMetrics } from '../storage/storage.metrics';
import { RegistryState } from './registry-state';
import { VersionFaults } from './version-faults';

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
    private readonly metrics: StorageMetrics,
  ) {}

  /**
   * Checks the next blobs of the rotation; at the end of one, the whole chain of events.
   * @param share how much of everything, 0 to 1, in bytes; at least one blob
   * @throws LogDamaged where the chain does not hold
   */
  async slice(share: number): Promise<void> {
    const all = [...this.sizes()].sort(([a], [b]) => (a < b ? -1 : 1));
    let budget = all.reduce((sum, [, bytes]) => sum + bytes, 0) * share;
    const rest = all.filter(([name]) => name > this.cursor);
    if (rest.length === 0) await this.checkLog();
    for (const [name, bytes] of rest.length > 0 ? rest : all) {
      await this.check(name);
      this.cursor = name;
      if ((budget -= bytes) <= 0) break;
    }
    this.metrics.damagedBlobs.set(this.faults.damagedBlobs);
  }

  private sizes(): ReadonlyMap<BlobName, number> {
    const versions = this.state.list().flatMap((model) => [...model.versions.values()]);
    return new Map(versions.map(({ blob, manifest }) => [blob, manifest.files[0]?.size ?? 0]));
  }

  private async check(name: BlobName): Promise<void> {
    const whole = await this.blobs.verify(name).catch((error: unknown) => {
      if (error instanceof BlobMissing) return false;
      throw error;
    });
    if (whole) return this.faults.healed(name);
    this.faults.noteDamage(name);
    this.logger.error('blob damaged', { blob: name });
  }

  private async checkLog(): Promise<void> {
    for await (const { position } of this.log.read(LOG_START)) void position;
  }
}
