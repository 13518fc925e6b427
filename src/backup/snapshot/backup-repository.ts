import { Injectable } from '@nestjs/common';
import { hasCode } from '../../errors/has-code';
import { BackupBlobs, type BlobName } from '../../storage/blob-store.port';
import { BackupLog, type EventFields, LOG_START, type LogEntry } from '../../storage/event-log.port';
import { LogDamaged } from '../../storage/storage.errors';
import { BackupHistory } from './backup-history';

/** What the disk has: the size of every blob. */
export type Scan = ReadonlyMap<BlobName, number>;

/** What `backups/` has: blobs, and the log that says what they are. */
@Injectable()
export class BackupRepository {
  constructor(
    readonly blobs: BackupBlobs,
    private readonly log: BackupLog,
  ) {}

  /** The log of `backups/`, read just now. @throws LogDamaged */
  async history(): Promise<BackupHistory> {
    const history = new BackupHistory();
    for await (const entry of this.log.read(LOG_START)) history.apply(entry);
    return history;
  }

  /** The log as far as it can be read, and what is wrong from there on: an inventory shows what there is. */
  async readable(): Promise<{ readonly history: BackupHistory; readonly damage?: string }> {
    const history = new BackupHistory();
    try {
      for await (const entry of this.log.read(LOG_START)) history.apply(entry);
      return { history };
    } catch (error) {
      if (!(error instanceof LogDamaged)) throw error;
      return { history, damage: error.message };
    }
  }

  /**
   * Appends what `decide` wants to the log of `backups/`, decided on all events that are there.
   * @param decide called once for each lost race; `undefined`: nothing to do; may throw
   * @throws CommitUncertain, NoSpace, LogDamaged
   */
  async commit(decide: (history: BackupHistory) => EventFields | undefined): Promise<LogEntry | undefined> {
    for (;;) {
      const history = await this.history();
      if (this.log.uncertain) await this.log.settle();
      const fields = decide(history);
      if (fields === undefined) return undefined;
      try {
        return await this.log.append(history.position, fields);
      } catch (error) {
        if (!hasCode(error, 'EVENT_CONFLICT')) throw error;
      }
    }
  }

  /** What is on the disk now. */
  async scan(): Promise<Scan> {
    const sizes = new Map<BlobName, number>();
    for await (const { name, bytes } of this.blobs.list()) sizes.set(name, bytes);
    return sizes;
  }
}
