import { Injectable } from '@nestjs/common';
import { CallExpired } from '../runtime/runtime.errors';
import { Coalescer } from './coalescer';
import type { WaitingCall } from './waiting-call';

const CHECK_MS = 10;

/** Answers calls whose time is over, wherever they are: one timer for all of them. */
@Injectable()
export class Deadlines {
  private readonly watched = new Set<WaitingCall>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly coalescer: Coalescer) {}

  /** Watches a call until it is over. */
  watch(call: WaitingCall): void {
    this.watched.add(call);
    this.timer ??= setInterval(() => this.look(), CHECK_MS).unref();
  }

  private look(): void {
    const now = performance.now();
    for (const call of this.watched) {
      if (!call.over && now <= call.expiresAt) continue;
      this.watched.delete(call);
      if (call.over) continue;
      this.coalescer.remove(call);
      call.fail(new CallExpired());
    }
    if (this.watched.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }
}
