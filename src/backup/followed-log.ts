import { type EventLog, LOG_START, type LogEntry, type LogPosition } from '../storage/event-log.port';

/** A log that is read on from where it was read to, by one reader at a time. */
export class FollowedLog {
  private position: LogPosition = LOG_START;
  private reading: Promise<unknown> = Promise.resolve();

  /** @param hear told every event once, in their order */
  constructor(
    private readonly log: Pick<EventLog, 'read'>,
    private readonly hear: (entry: LogEntry) => void,
  ) {}

  /** Reads what is new. @throws LogDamaged, the error of the disk */
  readOn(): Promise<void> {
    const turn = this.reading.then(() => this.readNew());
    this.reading = turn.catch(() => {});
    return turn;
  }

  private async readNew(): Promise<void> {
    for await (const entry of this.log.read(this.position)) {
      this.hear(entry);
      this.position = entry.position;
    }
  }
}
