import type { ServedVersion } from '../models/serving/served-version';
import type { Tensor } from '../runtime/tensor';

/** A question to a model, whatever dialect it came in. */
export interface InferenceCall {
  /** The version that was resolved for the caller: it answers, whatever is promoted meanwhile. */
  readonly target: ServedVersion;
  readonly inputs: readonly Tensor[];
  /** Names of the wanted outputs; absent: all of them. */
  readonly outputs?: readonly string[];
}

/** The answer to a call. */
export interface InferenceResult {
  /** In the order asked for, else in the model's own. */
  readonly outputs: readonly Tensor[];
  /** Milliseconds that the call waited for an engine. */
  readonly queueMs: number;
  /** Milliseconds that the engine took. */
  readonly inferMs: number;
}
