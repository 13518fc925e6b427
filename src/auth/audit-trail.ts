import { randomUUID } from 'node:crypto';
import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import { AuditLog, AuditWriter } from './audit-writer';

const EVERY_MS = 60_000;
const MAX_CALLERS = 100;

/** Refusals of one address with one key. */
interface Failure {
  readonly address: string;
  /** Public id of the key that came, if it had the form of one. */
  readonly keyId?: string;
  readonly code: string;
  count: number;
  /** Of the last of them. */
  correlationId: string;
}

/** A refusal, as it happens. */
export type Refusal = Omit<Failure, 'count'>;

/** Sums up who was refused: the first one is written at once, then at most one event a minute. Never delays an answer. */
@Injectable()
export class AuditTrail implements BeforeApplicationShutdown {
  private readonly logger = new Logger(AuditTrail.name);
  private readonly writer: AuditWriter;
  private readonly pending = new Map<string, Failure>();
  private others = 0;
  private lastAt = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> | undefined;

  constructor(log: AuditLog) {
    this.writer = new AuditWriter(log);
  }

  /** Notes a refusal. What is kept until it is written is bounded: callers beyond it are counted, not named. */
  refused(refusal: Refusal): void {
    const key = `${refusal.address} ${refusal.keyId ?? ''} ${refusal.code}`;
    const known = this.pending.get(key);
    if (known !== undefined) {
      known.count++;
      known.correlationId = refusal.correlationId;
    } else if (this.pending.size < MAX_CALLERS) this.pending.set(key, { ...refusal, count: 1 });
    else this.others++;
    if (this.timer !== undefined) return;
    const wait = Math.max(0, this.lastAt + EVERY_MS - performance.now());
    this.timer = setTimeout(() => void this.flush(), wait).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.writing;
    await this.flush();
  }

  /** Writes what is pending, if anything. Never rejects: a trail that cannot be written is in the log, and keeps nobody out or in. */
  private flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const failures = [...this.pending.values()];
    if (failures.length === 0) return Promise.resolve();
    const total = failures.reduce((sum, { count }) => sum + count, this.others);
    const event = { kind: 'auth.refused', actor: 'system', correlationId: `audit-${randomUUID()}`, total, others: this.others, failures };
    this.pending.clear();
    [this.others, this.lastAt] = [0, performance.now()];
    const before = this.writing ?? Promise.resolve();
    this.writing = before
      .then(() => this.writer.append(event))
      .catch((error: unknown) => this.logger.error('audit trail not written', { total, err: error }));
    return this.writing;
  }
}
