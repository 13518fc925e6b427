/** A place in the log: the number of an event, its hash and its time. What comes next is chained to it. */
export interface LogPosition {
  /** 0 before the first event. */
  readonly seq: number;
  /** SHA-256 of the stored bytes of event `seq`, 64 hex digits; zeros before the first. */
  readonly hash: string;
  /** ISO 8601, UTC, milliseconds. */
  readonly at: string;
}

/** Where an empty log stands. */
export const LOG_START: LogPosition = { seq: 0, hash: '0'.repeat(64), at: new Date(0).toISOString() };

/** What the writer of an event says; the log adds number, chain and time. */
export interface EventFields {
  readonly kind: string;
  /** Who did it. */
  readonly actor: string;
  /** The request or job that did it. */
  readonly correlationId: string;
  readonly [member: string]: unknown;
}

/** An event as stored. */
export interface StoredEvent extends EventFields {
  readonly seq: number;
  /** Hash of event seq − 1. */
  readonly previous: string;
  /** Never before the time of the previous event, whatever the clock did. */
  readonly at: string;
}

/** An event and the position that it makes. */
export interface LogEntry {
  readonly event: StoredEvent;
  readonly position: LogPosition;
}

/** A folded state and the event up to which it was folded. */
export interface Checkpoint {
  readonly position: LogPosition;
  readonly state: unknown;
}

/**
 * Numbered, immutable events, chained by hash: compare-and-swap, history and audit in one. Writers in other processes may append
 * to the same log. Every adapter passes `test/contracts/event-log.contract.ts`.
 */
export abstract class EventLog {
  /**
   * Appends event `after.seq + 1`. When it returns, the event survives a power cut.
   * @throws EventConflict where that number is taken: read on from `after`, decide again
   * @throws CommitUncertain where the event is written, and stays, but the disk did not confirm it; and from then on, on every
   *   append, until `settle` succeeds
   * @throws NoSpace where nothing was written
   */
  abstract append(after: LogPosition, fields: EventFields): Promise<LogEntry>;

  /** The events after `after`, in order, as far as there are any. @throws LogDamaged where the chain does not hold or a number is missing */
  abstract read(after: LogPosition): AsyncIterable<LogEntry>;

  /** One event, as it is stored; its chain is not looked at. @throws LogDamaged where it is missing, or is no event of that number */
  abstract event(seq: number): Promise<StoredEvent>;

  /**
   * Keeps a state so that the next reader need not fold everything. Disposable: losing it costs time only.
   * @param state plain JSON
   */
  abstract saveCheckpoint(checkpoint: Checkpoint): Promise<void>;

  /** The newest checkpoint that can be trusted: whole, and of an event that this very log has. */
  abstract newestCheckpoint(): Promise<Checkpoint | undefined>;

  /** Whether appends are refused because an earlier one was never confirmed. */
  abstract get uncertain(): boolean;

  /** Asks the disk once more to confirm what is written; call it when the log has been read again. @throws CommitUncertain */
  abstract settle(): Promise<void>;
}

/** The log of the registry. */
export abstract class RegistryLog extends EventLog {}

/** The log of `backups/`: which snapshots there are, which were verified, which are deleted. */
export abstract class BackupLog extends EventLog {}
