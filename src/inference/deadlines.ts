import { Injectable } from '@nestjs/common';
import { CallExpired } from '../runtime/runtime.errors';
import { Coalescer } from './coalescer';
import type { WaitingCall } from './waiting-call';

const CHECK_MS = 10;

/** Answers calls whose time is over, wherever they are: one timer for all of them. */
@Injectable()
export class Deadlines {
  /** No Set, for the reason that `wire/slow-bodies.ts` has. */
  private readonly watched: WaitingCall[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly coalescer: Coalescer) {}

  /** Watches a call until it is told to forget it. */
  watch(call: WaitingCall): void {
    call.watchedAt = this.watched.push(call) - 1;
    this.timer ??= setInterval(() => this.look(), CHECK_MS).unref();
  }

  /** A call is over: whoever keeps it longer makes the collector of garbage copy all that belongs to it. */
  forget(call: WaitingCall): void {
    if (this.watched[call.watchedAt] !== call) return;
    const last = this.watched.pop() as WaitingCall;
    if (last === call) return;
    this.watched[call.watchedAt] = last; // the last one takes its place
    last.watchedAt = call.watchedAt;
  }

  private look(): void {
    const now = performance.now();
    for (const call of this.watched.toReversed()) {
      if (now <= call.expiresAt) continue;
      this.forget(call);
      this.coalescer.remove(call);
      call.fail(new CallExpired());
    }
    if (this.watched.length > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }
}
