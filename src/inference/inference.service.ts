import { Injectable } from '@nestjs/common';
import { InferenceConfig } from '../config/app-config';
import { Admission } from './admission';
import { Coalescer } from './coalescer';
import { Deadlines } from './deadlines';
import type { InferenceCall, InferenceResult } from './inference-call';
import { CallerGone } from './inference.errors';
import { validateCall } from './validate-inputs';
import { WaitingCall } from './waiting-call';

/** Answers calls: validated, admitted, put together, run. */
@Injectable()
export class InferenceService {
  constructor(
    private readonly admission: Admission,
    private readonly coalescer: Coalescer,
    private readonly deadlines: Deadlines,
    private readonly config: InferenceConfig,
  ) {}

  /** @throws InputsMismatch, DatatypeMismatch, ShapeMismatch, OutputUnknown, TooManyCalls, CallExpired, CallerGone; as LoadedModel.run */
  async run(call: InferenceCall): Promise<InferenceResult> {
    validateCall(call);
    return this.runValid(call);
  }

  /** As `run`, for a call that was validated before. @throws TooManyCalls at once, and as `run` but for what is wrong with the call */
  runValid(call: InferenceCall): Promise<InferenceResult> {
    const { signature } = call.target.record;
    const release = this.admission.admit(call);
    return this.answer(call, call.outputs ?? signature.outputs.map(({ name }) => name), release);
  }

  private answer(call: InferenceCall, outputs: readonly string[], release: (outcome: unknown) => void): Promise<InferenceResult> {
    const expiresAt = Math.min(call.expiresAt ?? Number.POSITIVE_INFINITY, performance.now() + this.config.callDeadlineSeconds * 1000);
    return new Promise((resolve, reject) => {
      const ending =
        <T>(tell: (what: T) => void) =>
        (what: T) => {
          this.deadlines.forget(waiting);
          release(what); // at once: whoever comes before the promise is heard of finds room
          tell(what);
        };
      const waiting: WaitingCall = new WaitingCall(call, outputs, expiresAt, { answer: ending(resolve), fail: ending(reject) });
      call.onGone?.(() => this.abandon(waiting));
      this.deadlines.watch(waiting);
      this.coalescer.add(waiting);
    });
  }

  private abandon(call: WaitingCall): void {
    if (call.over) return;
    this.coalescer.remove(call);
    call.fail(new CallerGone());
  }
}
