import type { Tensor } from '../runtime/tensor';
import type { InferenceCall, InferenceResult } from './inference-call';

/** A call on its way to an engine. */
export class WaitingCall {
  /** It runs with no other: it was part of a batch that failed. */
  alone = false;
  /** Its place among those whose time is watched. */
  watchedAt = -1;
  /** `performance.now()` */
  readonly queuedAt = performance.now();
  private settled = false;
  /** As long as the first dimension where that is free, else one. */
  readonly rows: number;
  /** What two calls have in common that can be one run: datatypes, all dimensions but the first, and the wanted outputs. */
  readonly form: string;

  /**
   * @param expiresAt `performance.now()`
   * @param end tells its caller, and whoever counts it, as soon as it is over
   */
  constructor(
    readonly call: InferenceCall,
    readonly outputs: readonly string[],
    readonly expiresAt: number,
    private readonly end: { readonly answer: (result: InferenceResult) => void; readonly fail: (error: unknown) => void },
  ) {
    const { inputs } = call.target.record.signature;
    const free = inputs.length > 0 && inputs.every(({ shape }) => shape[0] === -1);
    this.rows = free ? (call.inputs[0]?.shape[0] as number) : 1;
    this.form = `${call.inputs.map(formOf).join(' ')} ${outputs.join(' ')}`;
  }

  /** Whether its caller has been answered, or has gone. */
  get over(): boolean {
    return this.settled;
  }

  /** Tells the first word only: who was told that its time is over hears nothing of what came of it. */
  answer(result: InferenceResult): void {
    if (this.settled) return;
    this.settled = true;
    this.end.answer(result);
  }

  /** As `answer`. */
  fail(error: unknown): void {
    if (this.settled) return;
    this.settled = true;
    this.end.fail(error);
  }
}

function formOf({ name, datatype, shape }: Tensor): string {
  return `${name}:${datatype}[${shape.slice(1).join()}]`;
}
