import { Injectable } from '@nestjs/common';
import { type Asker, type FlightRules, SingleFlight } from '../cache/single-flight';
import { type Cached, TieredCache } from '../cache/tiered-cache';
import { CacheConfig, InferenceConfig } from '../config/app-config';
import { CallExpired } from '../runtime/runtime.errors';
import type { Tensor } from '../runtime/tensor';
import { AnsweredCalls } from './answered-calls';
import { CacheCounts, type Outcome } from './cache-counts';
import { ownOutputs } from './cached-outputs';
import { bytesOfInputs, type CachedResult, type CacheOutcome, type InferenceCall, type InferenceResult } from './inference-call';
import { CallerGone, TooManyCalls } from './inference.errors';
import { countNonFinite } from './non-finite';
import { predictionKey } from './prediction-key';
import { TickEnd } from './tick-end';
import { validateCall } from './validate-inputs';

/** Computes the answer to a call that was validated. */
export type NextHandler = (call: InferenceCall) => Promise<InferenceResult>;

/** Who waits for another's answer holds its inputs and takes no room of the queue for them: small ones may. */
const MOST_BYTES = 2 ** 20;

/** What a flight brings to all who wait for it; no tier had it where it was computed. */
type Landed = Cached<readonly Tensor[]> | { readonly value: readonly Tensor[]; readonly tier?: undefined };

/** A call that may be answered from the cache, or whose answer may be kept there. */
interface Visit {
  readonly call: InferenceCall;
  readonly key: string;
  readonly ttlMs: number;
  /** `performance.now()` */
  readonly startedAt: number;
}

/**
 * Answers calls that were answered before, between the codec of a dialect and the engines: no room is asked for, nothing waits, nothing is run. The
 * key says all that an answer depends on, so none is ever another version's; the metadata of a version say whether and how long it is kept.
 *
 * It stands where an interceptor stands and is none of Nest's: one of those takes longer than all that is done here (docs/adr/0005). Codecs call it.
 */
@Injectable()
export class PredictionCacheInterceptor {
  private readonly flights = new SingleFlight<Landed>(RULES);
  private readonly tickEnd = new TickEnd();

  constructor(
    private readonly store: TieredCache<readonly Tensor[]>,
    private readonly counts: CacheCounts,
    private readonly cacheConfig: CacheConfig,
    private readonly config: InferenceConfig,
    private readonly answered: AnsweredCalls,
  ) {}

  /** @throws InputsMismatch, DatatypeMismatch, ShapeMismatch, OutputUnknown; CallExpired, CallerGone; as `next` */
  async intercept(call: InferenceCall, next: NextHandler): Promise<CachedResult> {
    const startedAt = performance.now();
    validateCall(call);
    const ttlMs = this.ttlMs(call);
    if (ttlMs === 0) return this.bypassed(call, await next(call));
    const visit: Visit = { call, key: keyOf(call), ttlMs, startedAt };
    if (call.caching === 'no-cache') return this.compute(visit, next);
    const kept = this.store.peek(visit.key);
    return kept === undefined ? this.join(visit, next) : this.tickEnd.tell(this.hit(visit, kept));
  }

  /**
   * As `intercept`, for what was a hit before.
   * @param key of that hit; the call need have no inputs
   * @returns undefined where it is not in memory any more, or its caller wants none
   */
  recall(key: string, call: InferenceCall): Promise<CachedResult> | undefined {
    if (call.caching !== undefined || this.ttlMs(call) === 0) return undefined;
    const startedAt = performance.now();
    const kept = this.store.recall(key);
    return kept && this.tickEnd.tell(this.hit({ call, key, startedAt }, kept));
  }

  /** How long the answer may be kept; 0: it has nothing to do with the cache. */
  private ttlMs({ caching, target }: InferenceCall): number {
    if (caching === 'no-store' || this.cacheConfig.ttlSeconds === 0 || !target.repeatable) return 0;
    const { enabled = true, ttlSeconds = this.cacheConfig.ttlSeconds } = target.record.manifest.metadata.cache ?? {};
    return enabled ? ttlSeconds * 1000 : 0;
  }

  private bypassed(call: InferenceCall, result: InferenceResult): CachedResult {
    this.count(call, 'bypassed');
    return { ...result, cache: { state: 'BYPASS', ms: 0 } };
  }

  private hit({ call, key, startedAt }: Omit<Visit, 'ttlMs'>, { value, ageMs }: Cached<readonly Tensor[]>): CachedResult {
    this.count(call, 'hit');
    const now = performance.now();
    call.target.usedAt = now; // its next miss must not find it gone
    return withoutRun(value, 0, { state: 'HIT', ms: now - startedAt, key, ageSeconds: Math.floor(ageMs / 1000) });
  }

  /** Asks Redis and then the engine, once for all who ask for the same at that time. */
  private async join(visit: Visit, next: NextHandler): Promise<CachedResult> {
    const joinedAt = performance.now();
    let own: CachedResult | undefined;
    const fly = async (): Promise<Landed> => {
      const kept = this.store.hasSecondTier ? await this.lookFurther(visit) : undefined;
      if (kept !== undefined) return kept;
      own = await this.compute(visit, next);
      return { value: own.outputs };
    };
    const landed = bytesOfInputs(visit.call.inputs) > MOST_BYTES ? await fly() : await this.wait(visit, fly);
    if (own !== undefined) return own;
    if (landed.tier !== undefined) return this.hit(visit, landed);
    this.count(visit.call, 'coalesced');
    return withoutRun(landed.value, performance.now() - joinedAt, { state: 'COALESCED', ms: joinedAt - visit.startedAt });
  }

  /** @throws CallerGone */
  private async lookFurther({ call, key }: Visit): Promise<Cached<readonly Tensor[]> | undefined> {
    let gone = false;
    call.onGone?.(() => void (gone = true)); // who goes meanwhile is not heard of again
    const kept = await this.store.get(key);
    if (gone) throw new CallerGone();
    return kept;
  }

  private async compute(visit: Visit, next: NextHandler): Promise<CachedResult> {
    const ms = performance.now() - visit.startedAt;
    const result = await next(visit.call);
    this.count(visit.call, 'miss');
    return { ...result, outputs: this.keep(visit, result), cache: { state: 'MISS', ms } };
  }

  /** @returns what others may be answered with too */
  private keep({ call, key, ttlMs }: Visit, { outputs }: InferenceResult): readonly Tensor[] {
    if (!mayBeKept(call, outputs)) return outputs;
    const own = ownOutputs(outputs);
    this.store.put(key, own, ttlMs);
    return own;
  }

  private async wait({ key, call }: Visit, fly: () => Promise<Landed>): Promise<Landed> {
    return (await this.flights.run(key, fly, this.askerOf(call))).value;
  }

  private askerOf({ expiresAt = Number.POSITIVE_INFINITY, onGone }: InferenceCall): Asker {
    return { expiresAt: Math.min(expiresAt, performance.now() + this.config.callDeadlineSeconds * 1000), ...(onGone && { onGone }) };
  }

  private count(call: InferenceCall, outcome: Outcome): void {
    this.counts.count(call.target.record.model, outcome);
    this.answered.listener?.(call);
  }
}

const RULES: FlightRules = {
  expired: () => new CallExpired(),
  gone: () => new CallerGone(),
  isOwn: (error) => error instanceof CallExpired || error instanceof CallerGone || error instanceof TooManyCalls,
};

/** An answer that no engine computed for this very call. */
function withoutRun(outputs: readonly Tensor[], queueMs: number, cache: CacheOutcome): CachedResult {
  return { outputs, queueMs, inferMs: 0, rows: 0, batchRows: 0, leads: false, cache };
}

function keyOf({ target, inputs, outputs }: InferenceCall): string {
  const { executable, signature } = target.record;
  return predictionKey(outputs === undefined ? { executable, signature, inputs } : { executable, signature, inputs, outputs });
}

/** Only what is whole, and what every dialect can tell. */
function mayBeKept({ target, outputs: wanted }: InferenceCall, outputs: readonly Tensor[]): boolean {
  const { signature, manifest } = target.record;
  if (outputs.length !== (wanted ?? signature.outputs).length) return false;
  return manifest.metadata.nonFinite !== 'reject' || outputs.every((output) => countNonFinite(output) === 0);
}
