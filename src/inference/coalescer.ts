import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable, Logger } from '@nestjs/common';
import { RuntimeConfig } from '../config/app-config';
import type { ServedVersion } from '../models/serving/served-version';
import type { EngineAnswer, EngineRun } from '../runtime/model-runtime.port';
import { CallExpired, EngineCrashed, EngineDeadlineExceeded, InferenceFailed } from '../runtime/runtime.errors';
import { joinInputs, rowsOf, splitOutputs } from './batch';
import { CallQueue } from './call-queue';
import type { WaitingCall } from './waiting-call';

/**
 * Puts calls together: those of one turn of the event loop, and those that waited while every engine was busy, become one run, as many rows as
 * are best for the version. What a run is made of is decided when an engine is free for it. Nobody waits for others, unless the version's
 * metadata say so.
 */
@Injectable()
export class Coalescer {
  private readonly logger = new Logger(Coalescer.name);
  private readonly queues = new Map<ServedVersion, CallQueue>();
  private readonly fresh = new Set<ServedVersion>();
  private flushing = false;
  /** A flush runs for many requests at once, and in nobody's context. */
  private readonly outside = AsyncLocalStorage.snapshot() as (work: () => void) => void;

  constructor(private readonly config: RuntimeConfig) {}

  /** Queues a call. It is settled sooner or later. */
  add(call: WaitingCall): void {
    const { target } = call.call;
    this.queueOf(target).push(call);
    this.fresh.add(target);
    if (this.flushing) return;
    this.flushing = true;
    setImmediate(() => this.outside(() => this.flush()));
  }

  /** Takes a call out of the queue, if it is still there. */
  remove(call: WaitingCall): void {
    this.queues.get(call.call.target)?.remove(call);
  }

  /** The newest call that a caller has waiting. @param model of it; undefined: of any */
  newestOf(caller: string, model?: string): WaitingCall | undefined {
    const queues = [...this.queues].filter(([{ record }]) => model === undefined || record.model === model);
    const waiting = queues.flatMap(([, queue]) => queue.newestOf(caller) ?? []);
    return waiting.toSorted((a, b) => b.queuedAt - a.queuedAt)[0];
  }

  /** How many calls wait for an engine. */
  get waiting(): number {
    return [...this.queues.values()].reduce((sum, { calls }) => sum + calls, 0);
  }

  /** `performance.now()` at which the oldest of them came; infinite where nothing waits. */
  get oldestAt(): number {
    return Math.min(...[...this.queues.values()].map(({ oldestAt }) => oldestAt));
  }

  private queueOf(target: ServedVersion): CallQueue {
    let queue = this.queues.get(target);
    if (queue === undefined) this.queues.set(target, (queue = new CallQueue()));
    return queue;
  }

  private flush(): void {
    this.flushing = false;
    const targets = [...this.fresh];
    this.fresh.clear();
    for (const target of targets) this.delay(target);
  }

  /** Waits for more calls only where the metadata say so, only while there is room for them, and until the oldest has waited long enough. */
  private delay(target: ServedVersion): void {
    const queue = this.queues.get(target);
    if (queue === undefined || queue.calls === 0) return;
    const { maxDelayMicros = 0 } = target.record.manifest.metadata;
    if (maxDelayMicros === 0 || queue.rows >= target.batchRows) return this.askForEngines(target, queue);
    const leftMs = queue.oldestAt + maxDelayMicros / 1000 - performance.now();
    if (leftMs <= 0) this.askForEngines(target, queue);
    else if (leftMs >= 1) setTimeout(() => this.delay(target), Math.floor(leftMs));
    else setImmediate(() => this.delay(target));
  }

  /** As many runs as there are batches waiting; each takes what is there when it begins, which may be at once. */
  private askForEngines(target: ServedVersion, queue: CallQueue): void {
    if (queue.asking) return; // an engine took the run at once: whoever asked for it goes on
    queue.asking = true;
    while (queue.tickets < queue.batches(target.batchRows)) {
      queue.tickets++;
      queue.runs++;
      void this.run(target, queue);
    }
    queue.asking = false;
    if (queue.calls === 0 && queue.runs === 0) this.queues.delete(target);
  }

  private async run(target: ServedVersion, queue: CallQueue): Promise<void> {
    const ticket = new Ticket(target, queue, this.config.engineDeadlineMs);
    try {
      const answer = await target.run(() => {
        // asked again: the engine process ended, and nobody else will hear of it
        if (ticket.begun) this.logger.warn('engine run failed', { ...namesOf(ticket.calls), again: true });
        const run = ticket.next();
        this.askForEngines(target, queue); // what is left may go to another engine at once
        return run;
      });
      answerAll(ticket.calls, answer, ticket.startedAt);
    } catch (error) {
      this.failed(ticket, queue, error);
    }
    ticket.end();
    queue.runs--;
    this.askForEngines(target, queue);
  }

  /** One call must not fail for what another one did: after the failure of a batch each runs by itself. */
  private failed(ticket: Ticket, queue: CallQueue, error: unknown): void {
    const calls = ticket.begun ? ticket.calls : ticket.take();
    const mayBeOne = error instanceof InferenceFailed || error instanceof EngineDeadlineExceeded || error instanceof EngineCrashed;
    if (!(error instanceof InferenceFailed)) this.logger.warn('engine run failed', { ...namesOf(calls), err: error });
    if (calls.length > 1 && ticket.begun && mayBeOne) return queue.putBack(calls.filter(({ over }) => !over));
    for (const call of calls) call.fail(error);
  }
}

/** One run, from the wish for it to its end. */
class Ticket {
  calls: readonly WaitingCall[] = [];
  startedAt = 0;
  begun = false;
  private waiting = true;

  constructor(
    private readonly target: ServedVersion,
    private readonly queue: CallQueue,
    private readonly engineDeadlineMs: number,
  ) {}

  /** What is run. Asked again, as the engine process ended: each call of the batch by itself, this one first. */
  next(): EngineRun | undefined {
    if (this.begun && this.calls.length > 1) this.queue.putBack(this.calls.filter(({ over }) => !over));
    if (!this.begun || this.calls.length > 1) this.calls = this.take();
    this.begun = true;
    this.startedAt = performance.now();
    const [first] = this.calls;
    if (first === undefined) return undefined;
    const engineDeadlineMs = this.target.record.manifest.metadata.deadlineMs ?? this.engineDeadlineMs;
    return { inputs: joinInputs(this.calls), outputs: first.outputs, engineDeadlineMs, runsInParts: () => this.runsInParts };
  }

  /** Whether all of its calls would be run again: one whose caller has gone would not, and may be the one to blame. */
  private get runsInParts(): boolean {
    return this.calls.length > 1 && this.calls.every(({ over }) => !over);
  }

  /** The next batch, without what nobody waits for. */
  take(): readonly WaitingCall[] {
    this.end();
    const now = performance.now();
    for (;;) {
      const calls = this.queue.take(this.target.batchRows);
      for (const call of calls) if (now > call.expiresAt) call.fail(new CallExpired());
      const wanted = calls.filter(({ over }) => !over);
      if (wanted.length > 0 || this.queue.calls === 0) return wanted;
    }
  }

  /** It waits no more. */
  end(): void {
    if (this.waiting) this.queue.tickets--;
    this.waiting = false;
  }
}

/** Whose calls they are: one run may be for many. */
function namesOf(calls: readonly WaitingCall[]): { readonly ids: readonly string[]; readonly traceIds?: readonly string[] } {
  const ids = calls.map(({ call }) => call.correlationId);
  const traceIds = calls.flatMap(({ call }) => call.traceId ?? []);
  return traceIds.length === 0 ? { ids } : { ids, traceIds };
}

function answerAll(calls: readonly WaitingCall[], { outputs, inferMs }: EngineAnswer, startedAt: number): void {
  const batchRows = rowsOf(calls);
  const parts = calls.length === 0 ? [] : splitOutputs(outputs, calls);
  const lead = calls.findIndex(({ over }) => !over); // who went away counts nothing
  calls.forEach((call, at) => {
    const queueMs = startedAt - call.queuedAt;
    call.answer({ outputs: parts[at] ?? [], queueMs, inferMs, rows: call.rows, batchRows, leads: at === lead });
  });
}
