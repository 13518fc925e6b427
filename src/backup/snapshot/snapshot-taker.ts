import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { BackupRepository } from './backup-repository';
import { RegistrySource } from './registry-source';
import { failureOf } from './snapshot-failure';
import { SnapshotManifests } from './snapshot-manifests';
import type { SnapshotRecord } from './snapshot-records';
import { SnapshotSeal } from './snapshot-seal';
import { SnapshotFailed, SnapshotNoSpace } from './snapshot.errors';
import { Taking, type TakeOptions } from './taking';

/** Takes snapshots. Beside a server that works, in its process or in another; never two at once in one process. */
@Injectable()
export class SnapshotTaker implements OnApplicationShutdown {
  private readonly logger = new Logger(SnapshotTaker.name);
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly source: RegistrySource,
    private readonly repository: BackupRepository,
    private readonly manifests: SnapshotManifests,
    private readonly seal: SnapshotSeal,
  ) {}

  /**
   * Takes a snapshot of the registry as it is at some moment between the call and its end. One that is asked for while another is taken
   * waits for that: its cut would be too old for whoever asks now.
   * @throws SnapshotFailed, SnapshotNoSpace: both say how far it came, why not further, and what that is about
   */
  take(options: TakeOptions): Promise<SnapshotRecord> {
    const turn = this.last.then(() => this.takeNow(options));
    this.last = turn.catch(() => {});
    return turn;
  }

  /** Whoever asked may be gone by then, as a stop cuts connections off: what was begun is finished all the same. */
  async onApplicationShutdown(): Promise<void> {
    await this.last;
  }

  private async takeNow(options: TakeOptions): Promise<SnapshotRecord> {
    const taking = new Taking(this.source, this.repository, this.manifests, this.seal, options);
    try {
      const record = await taking.run();
      const { id, seq, objects, bytes, newBytes, signed, encrypted } = record;
      this.logger.log('snapshot taken', { snapshot: id, event: seq, objects, bytes, newBytes, signed, encrypted });
      return record;
    } catch (error) {
      const failure = failureOf(error, taking.steps.phase, taking.steps.object);
      throw failure.reason === 'no-space' ? new SnapshotNoSpace(failure, { cause: error }) : new SnapshotFailed(failure, { cause: error });
    }
  }
}
