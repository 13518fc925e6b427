import { hasCode } from '../errors/has-code';
import { type EventFields, EventLog, LOG_START, type LogPosition } from '../storage/event-log.port';

const CHECKPOINT_EVERY = 500;

/** The log of who was refused and of what was done to keys: `auth/audit/` in the folder of the registry. */
export abstract class AuditLog extends EventLog {}

/** Appends to the audit trail, whoever else does: other servers on the same folder, the command line. */
export class AuditWriter {
  private position: LogPosition | undefined;

  constructor(private readonly log: EventLog) {}

  /** When it returns, the event survives a power cut. @throws as EventLog, but never EventConflict */
  async append(fields: EventFields): Promise<void> {
    if (this.log.uncertain) await this.log.settle();
    for (;;) {
      const after = await this.end();
      try {
        const { position } = await this.log.append(after, fields);
        this.position = position;
        // so that the next start need not read everything
        if (position.seq % CHECKPOINT_EVERY === 0) await this.log.saveCheckpoint({ position, state: {} });
        return;
      } catch (error) {
        if (!hasCode(error, 'EVENT_CONFLICT')) throw error;
      }
    }
  }

  private async end(): Promise<LogPosition> {
    this.position ??= (await this.log.newestCheckpoint())?.position ?? LOG_START;
    for await (const { position } of this.log.read(this.position)) this.position = position;
    return this.position;
  }
}
