import { Injectable } from '@nestjs/common';
import { InferenceConfig } from '../config/app-config';
import { Counts } from '../metrics/counts';
import { EngineCrashed, EngineDeadlineExceeded, InferenceFailed } from '../runtime/runtime.errors';
import { CallBook } from './call-book';
import { Coalescer } from './coalescer';
import { bytesOfInputs, type InferenceCall } from './inference-call';
import { TooManyCalls } from './inference.errors';

/** Why there was no room for a call: the limit that was reached, or a caller with fewer calls. */
export type RefusalReason = 'model_calls' | 'model_bytes' | 'all_calls' | 'all_bytes' | 'fairness';

/**
 * Counts the calls that wait or run, and turns away what is too much at once, before it costs anything. Where there is no room the caller who
 * has the most calls loses its newest one to a caller who has fewer.
 */
@Injectable()
export class Admission {
  private readonly byModel = new Map<string, CallBook>();
  private readonly all: CallBook;
  readonly refusals = new Counts<RefusalReason>();

  constructor(
    private readonly config: InferenceConfig,
    private readonly coalescer: Coalescer,
  ) {
    this.all = new CallBook({ calls: config.maxCalls, bytes: config.maxCallBytes });
  }

  /**
   * @returns to be called when the call is over, with what it ended with: a result or an error
   * @throws TooManyCalls where there is no room for one more
   */
  admit({ caller, inputs, target }: InferenceCall): (outcome: unknown) => void {
    const { model } = target.record;
    const bytes = bytesOfInputs(inputs);
    const book = this.bookOf(model);
    this.refuseBytes(book, bytes, model);
    this.refuseBytes(this.all, bytes);
    // who makes room in the model's book makes room in the other one too
    if (book.full !== undefined) this.makeRoom(book, book.full, caller, model);
    else if (this.all.full !== undefined) this.makeRoom(this.all, this.all.full, caller);
    const admittedAt = performance.now();
    for (const each of [book, this.all]) each.enter(caller, bytes, admittedAt);
    return (outcome) => {
      const now = performance.now();
      for (const each of [book, this.all]) each.leave(caller, bytes, now, isAnswer(outcome));
      if (book.calls === 0 && this.byModel.size > this.config.maxCalls) this.byModel.delete(model);
    };
  }

  /** What waits or runs now, and what may. */
  get load(): Readonly<Pick<CallBook, 'calls' | 'bytes' | 'limits'>> {
    return this.all;
  }

  private bookOf(model: string): CallBook {
    let book = this.byModel.get(model);
    const { maxCallsPerModel: calls, maxCallBytesPerModel: bytes } = this.config;
    if (book === undefined) this.byModel.set(model, (book = new CallBook({ calls, bytes })));
    return book;
  }

  /** One large call is not worth many small ones: nobody makes room for bytes. @throws TooManyCalls */
  private refuseBytes(book: CallBook, bytes: number, model?: string): void {
    const limit = book.tooHeavy(bytes);
    if (limit === undefined) return;
    this.refusals.count(model === undefined ? 'all_bytes' : 'model_bytes');
    throw tooMany(book, limit, model);
  }

  /** @throws TooManyCalls */
  private makeRoom(book: CallBook, limit: string, caller: string, model?: string): void {
    const error = tooMany(book, limit, model);
    const greedy = book.greedierThan(caller);
    const newest = greedy === undefined ? undefined : this.coalescer.newestOf(greedy, model);
    if (newest === undefined) {
      this.refusals.count(model === undefined ? 'all_calls' : 'model_calls');
      throw error;
    }
    this.refusals.count('fairness');
    this.coalescer.remove(newest);
    newest.fail(error);
  }
}

/** Whether an engine did it, well or not: who left, was turned away or waited for too long says nothing of how fast engines are. */
function isAnswer(outcome: unknown): boolean {
  const failed = outcome instanceof InferenceFailed || outcome instanceof EngineDeadlineExceeded || outcome instanceof EngineCrashed;
  return failed || !(outcome instanceof Error);
}

function tooMany(book: CallBook, limit: string, model: string | undefined): TooManyCalls {
  return new TooManyCalls(model === undefined ? 'in all' : `of "${model}"`, limit, book.secondsToDrain(performance.now()));
}
