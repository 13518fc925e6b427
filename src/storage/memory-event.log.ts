import { type Checkpoint, type EventFields, EventLog, type LogEntry, type LogPosition, type StoredEvent } from './event-log.port';
import { EventConflict, LogDamaged } from './storage.errors';
import { hashOf, openEvent, parseEvent, sealEvent } from './stored-event';

/** For tests: everything is gone at exit. */
export class MemoryEventLog extends EventLog {
  private readonly stored: Buffer[] = [];
  private readonly checkpoints = new Map<number, Checkpoint>();

  get uncertain(): boolean {
    return false;
  }

  async append(after: LogPosition, fields: EventFields): Promise<LogEntry> {
    const { bytes, entry } = sealEvent(after, fields, new Date());
    if (this.stored.length !== after.seq) throw new EventConflict(entry.position.seq);
    this.stored.push(bytes);
    return entry;
  }

  async *read(after: LogPosition): AsyncIterable<LogEntry> {
    let position = after;
    for (const bytes of this.stored.slice(after.seq)) {
      const entry = openEvent(position, bytes);
      yield entry;
      position = entry.position;
    }
  }

  async event(seq: number): Promise<StoredEvent> {
    const bytes = this.stored[seq - 1];
    if (bytes === undefined) throw new LogDamaged(seq, 'it is missing');
    return parseEvent(seq, bytes);
  }

  async saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    this.checkpoints.set(checkpoint.position.seq, structuredClone(checkpoint));
  }

  async newestCheckpoint(): Promise<Checkpoint | undefined> {
    const newestFirst = [...this.checkpoints.values()].sort((a, b) => b.position.seq - a.position.seq);
    return structuredClone(newestFirst.find(({ position: { seq, hash } }) => hashOf(this.stored[seq - 1] ?? '') === hash));
  }

  async settle(): Promise<void> {}
}
