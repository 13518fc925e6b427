import type { ServedVersion } from '../models/serving/served-version';
import type { Tensor } from '../runtime/tensor';

/** A question to a model, whatever dialect it came in. */
export interface InferenceCall {
  /** The version that was resolved for the caller: it answers, whatever is promoted meanwhile. */
  readonly target: ServedVersion;
  readonly inputs: readonly Tensor[];
  /** Names of the wanted outputs; absent: all of them. */
  readonly outputs?: readonly string[];
  /** Who asks, so that nobody takes everything: the public id of a key, or an address. */
  readonly caller: string;
  readonly correlationId: string;
  /** The W3C trace that it is part of, where its caller keeps one. */
  readonly traceId?: string | undefined;
  /** `performance.now()` after which the caller does not wait any more, where it said so. */
  readonly expiresAt?: number;
  /** What its caller said of the cache: `no-store`: neither read nor write; `no-cache`: write only. Absent: as the model's metadata say. */
  readonly caching?: 'no-store' | 'no-cache';
  /** Calls back once, if the caller goes away before it is answered. */
  readonly onGone?: (listener: () => void) => void;
}

/** How many bytes of inputs a call brings. */
export function bytesOfInputs(inputs: readonly Tensor[]): number {
  return inputs.reduce((sum, { data }) => sum + ('byteLength' in data ? data.byteLength : charactersOf(data)), 0);
}

/** The answer to a call. */
export interface InferenceResult {
  /** In the order asked for, else in the model's own. */
  readonly outputs: readonly Tensor[];
  /** Milliseconds that the call waited for an engine. */
  readonly queueMs: number;
  /** Milliseconds that the engine took. */
  readonly inferMs: number;
  /** Rows of the call: as long as the first dimension where that is free, else one; none where no engine computed them for it. */
  readonly rows: number;
  /** Rows of the run that it was part of. */
  readonly batchRows: number;
  /** Whether it was the first call of that run: so each run is counted once. */
  readonly leads: boolean;
}

/** What the cache did for an answer. */
export interface CacheOutcome {
  /** `COALESCED`: the same was being computed for another call, and is the answer to this one too. */
  readonly state: 'HIT' | 'MISS' | 'COALESCED' | 'BYPASS';
  /** Milliseconds that it took. */
  readonly ms: number;
  /** Under what a hit is kept. */
  readonly key?: string;
  /** How long ago a hit was computed, whole seconds. */
  readonly ageSeconds?: number;
}

/** The answer to a call that has passed the cache. */
export interface CachedResult extends InferenceResult {
  readonly cache: CacheOutcome;
}

function charactersOf(texts: readonly string[]): number {
  return texts.reduce((sum, { length }) => sum + length, 0);
}
