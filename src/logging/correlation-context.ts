import { AsyncLocalStorage } from 'node:async_hooks';

/** Whose work is being done, as its log lines name it. */
export interface Correlation {
  readonly correlationId: string;
  /** W3C trace, 32 hex digits, and what this service does in it, 16: where the caller keeps one. */
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
}

const current = new AsyncLocalStorage<Correlation>();

/**
 * Carries the id of the work at hand, a request or a job, through every await, so that a log line anywhere can name it. Work that is
 * done for many at once (a batch) runs outside of it.
 */
export const CorrelationContext = {
  /** Does `work` under an id. */
  run<T>(correlation: Correlation, work: () => T): T {
    return current.run(correlation, work);
  },

  /** `undefined` outside any work (start, shutdown). */
  get current(): Correlation | undefined {
    return current.getStore();
  },
};
