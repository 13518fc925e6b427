import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Tells what is known at once at the end of the turn of the event loop in which it was asked for, and all of it together: answers that are written
 * one by one wake their peers one by one, which takes longer.
 */
export class TickEnd {
  private due: (() => void)[] = [];
  /** It tells many requests at once, and in nobody's context. */
  private readonly outside = AsyncLocalStorage.snapshot() as (work: () => void) => void;

  /** `value`, a moment later. */
  tell<T>(value: T): Promise<T> {
    if (this.due.length === 0) setImmediate(() => this.outside(() => this.flush()));
    return new Promise((resolve) => void this.due.push(() => resolve(value)));
  }

  private flush(): void {
    const due = this.due;
    this.due = [];
    for (const tell of due) tell();
  }
}
