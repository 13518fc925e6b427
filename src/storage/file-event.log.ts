import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../errors/has-code';
import { discardFile, DurableFiles } from './durable-files';
import { CheckpointFiles } from './checkpoint-files';
import { type Checkpoint, type EventFields, EventLog, type LogEntry, type LogPosition, type StoredEvent } from './event-log.port';
import type { StorageMetrics } from './storage.metrics';
import { readRegular } from './regular-file';
import { CommitUncertain, EventConflict, LogDamaged } from './storage.errors';
import { hashOf, openEvent, parseEvent, sealEvent } from './stored-event';

const EVENT_FILE = /^[0-9]{20}\.json$/;

/** Events as files, `log/<20 digits>.json`: the exclusive creation of the name is the compare-and-swap. */
export class FileEventLog extends EventLog {
  private readonly files: DurableFiles;
  private readonly folder: string;
  private readonly checkpoints: CheckpointFiles;
  private unconfirmed: number | undefined;

  constructor(root: string, metrics?: StorageMetrics) {
    super();
    this.files = new DurableFiles(root, metrics);
    this.folder = join(this.files.root, 'log');
    this.checkpoints = new CheckpointFiles(this.files);
  }

  get uncertain(): boolean {
    return this.unconfirmed !== undefined;
  }

  async append(after: LogPosition, fields: EventFields): Promise<LogEntry> {
    if (this.unconfirmed !== undefined) throw new CommitUncertain(this.unconfirmed);
    // a position that this log never had would leave a gap behind it
    if (after.seq > 0 && !(await this.has(after.seq))) throw new LogDamaged(after.seq, 'it is missing');
    const { bytes, entry } = sealEvent(after, fields, new Date());
    const staged = await this.files.guard(() => this.files.writeStaged(bytes));
    try {
      const claimed = await this.files.guard(() => this.files.claim(staged, this.pathOf(entry.position.seq)));
      if (!claimed) throw new EventConflict(entry.position.seq);
      await this.confirm(entry.position.seq);
      return entry;
    } finally {
      await discardFile(staged).catch(() => {}); // a sweep takes what stays; the event stands
    }
  }

  async *read(after: LogPosition): AsyncIterable<LogEntry> {
    let position = after;
    for (;;) {
      const bytes = await this.bytesOf(position.seq + 1);
      if (bytes === undefined) break;
      const entry = openEvent(position, bytes);
      yield entry;
      position = entry.position;
    }
    await this.refuseGap(position.seq + 1, after.seq === 0);
  }

  async event(seq: number): Promise<StoredEvent> {
    const bytes = await this.bytesOf(seq);
    if (bytes === undefined) throw new LogDamaged(seq, 'it is missing');
    return parseEvent(seq, bytes);
  }

  saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    return this.files.guard(() => this.checkpoints.save(checkpoint));
  }

  async newestCheckpoint(): Promise<Checkpoint | undefined> {
    for await (const checkpoint of this.checkpoints.newestFirst()) {
      const { seq, hash } = checkpoint.position;
      const bytes = await this.bytesOf(seq);
      // a checkpoint of another line of history, or of an event that was lost, says nothing of this log
      if (bytes !== undefined && hashOf(bytes) === hash) return checkpoint;
    }
    return undefined;
  }

  async settle(): Promise<void> {
    if (this.unconfirmed !== undefined) await this.confirm(this.unconfirmed);
  }

  /** From the link on others may have read the event: it is never taken back, only its survival is in doubt. */
  private async confirm(seq: number): Promise<void> {
    try {
      await this.files.guard(() => this.files.flushFolder(this.folder));
      this.unconfirmed = undefined;
    } catch (error) {
      this.unconfirmed = seq;
      throw new CommitUncertain(seq, { cause: error });
    }
  }

  private async has(seq: number): Promise<boolean> {
    try {
      await access(this.pathOf(seq));
      return true;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
  }

  private async bytesOf(seq: number): Promise<Buffer | undefined> {
    try {
      const bytes = await readRegular(this.pathOf(seq));
      if (bytes === undefined) throw new LogDamaged(seq, 'it is no file');
      return bytes;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /**
   * An event after one that is not there means that one was lost. A whole read looks at every name, a read of the tail at the next
   * number only. Another process may have written both a moment ago: so look once more.
   */
  private async refuseGap(seq: number, whole: boolean): Promise<void> {
    const beyond = whole ? await this.anyBeyond(seq) : (await this.bytesOf(seq + 1)) !== undefined;
    if (beyond && (await this.bytesOf(seq)) === undefined) throw new LogDamaged(seq, 'it is missing, but later events exist');
  }

  private async anyBeyond(seq: number): Promise<boolean> {
    const names = await readdir(this.folder).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return [];
      throw error;
    });
    return names.some((name) => EVENT_FILE.test(name) && Number(name.slice(0, 20)) > seq);
  }

  private pathOf(seq: number): string {
    return join(this.folder, `${String(seq).padStart(20, '0')}.json`);
  }
}
