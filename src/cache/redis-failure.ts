import { ErrorReply } from 'redis';

/** Why a command brought nothing; what Redis refuses goes by the first word that it says. */
export type FailureReason = 'away' | 'timeout' | 'lost' | 'crowded' | 'reply' | 'refused' | (typeof REFUSALS)[number];

const REFUSALS = ['READONLY', 'LOADING', 'OOM', 'NOAUTH', 'NOPERM', 'MISCONF', 'MASTERDOWN', 'WRONGTYPE', 'BUSY'] as const;

/** A command that brought nothing. It never leaves this room: to others it is a miss. */
export class RedisFailure extends Error {
  constructor(
    readonly reason: FailureReason,
    message: string = reason,
  ) {
    super(message);
  }

  /** Whether it says that Redis is not well: one that is full still answers, and a queue of ours that is full says nothing of it. */
  get countsAgainstRedis(): boolean {
    return this.reason !== 'OOM' && this.reason !== 'crowded' && this.reason !== 'away';
  }

  /** Whether another connection may be better at once: the address belongs to another server meanwhile. */
  get wrongServer(): boolean {
    return this.reason === 'READONLY';
  }
}

/** What became of a command, whoever says so. */
export function failureOf(error: unknown): RedisFailure {
  if (error instanceof RedisFailure) return error;
  const message = String((error as Error | undefined)?.message);
  if (error instanceof ErrorReply) return new RedisFailure(REFUSALS.find((word) => message.startsWith(word)) ?? 'refused', message);
  return new RedisFailure(message === 'The queue is full' ? 'crowded' : 'lost', message);
}
