import { Injectable } from '@nestjs/common';
import { codeOf } from '../errors/app-error';
import { Counts } from '../metrics/counts';
import { CALL_SECONDS, Distribution } from '../metrics/distribution';
import type { VersionRecord } from '../models/registry/registry-records';
import type { CachedResult } from './inference-call';

/** How long a call took, milliseconds: each stage of it, and all of it since its first byte. */
export interface CallStages {
  readonly decode: number;
  readonly cache: number;
  readonly queue: number;
  readonly infer: number;
  readonly encode: number;
  readonly all: number;
}

/** How often something happened, and how long it took in sum. */
export interface Tally {
  count: number;
  ms: number;
}

/** Of all runs of so many rows. */
export type BatchFigures = Readonly<Record<'decode' | 'infer' | 'encode', Tally>>;

const STAGE_SECONDS = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, ...CALL_SECONDS];
const BATCH_ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

/** What one version was asked since this process started. */
export class VersionFigures {
  /** Seconds of the calls that were answered. */
  readonly seconds = new Distribution(CALL_SECONDS);
  /** Whether a call was counted. */
  counted = false;
  readonly success = tally();
  readonly fail = tally();
  readonly queue = tally();
  readonly decode = tally();
  readonly infer = tally();
  readonly encode = tally();
  /** Calls that the cache answered. */
  readonly cacheHit = tally();
  /** Calls that asked the cache in vain, be it that the same was being computed for another call. */
  readonly cacheMiss = tally();
  /** Rows that the engine computed. */
  rows = 0;
  /** Runs of the engine. */
  executions = 0;
  /** When the last answer was made, milliseconds since 1970; 0: never. */
  lastAt = 0;
  /** By rows of a run. */
  readonly batches = new Map<number, BatchFigures>();
}

/** Counts what every version answers, whatever dialect it is asked in. Memory only: since the start of this process. */
@Injectable()
export class CallStatistics {
  private readonly figures = new WeakMap<VersionRecord, VersionFigures>();
  /** Versions for which a call was counted, deleted ones too until `forget`. */
  private readonly asked = new Map<VersionRecord, VersionFigures>();
  /** Seconds of each stage, of all versions together. */
  readonly stages = {
    decode: new Distribution(STAGE_SECONDS),
    cache: new Distribution(STAGE_SECONDS),
    queue: new Distribution(STAGE_SECONDS),
    infer: new Distribution(STAGE_SECONDS),
    encode: new Distribution(STAGE_SECONDS),
  };
  /** Rows of the runs that answered somebody. */
  readonly batchRows = new Distribution(BATCH_ROWS);
  /** Calls that were not answered, by code, those included that found no version. */
  readonly errors = new Counts();

  /** What a version was asked so far. */
  of(version: VersionRecord): VersionFigures {
    let known = this.figures.get(version);
    if (known === undefined) this.figures.set(version, (known = new VersionFigures()));
    return known;
  }

  /** Whether a call has found this version. */
  wasAsked(version: VersionRecord): boolean {
    return this.figures.has(version);
  }

  /** A call was answered. */
  countAnswer(version: VersionRecord, result: Pick<CachedResult, 'rows' | 'batchRows' | 'leads' | 'cache'>, stages: CallStages): void {
    const figures = this.counted(version);
    figures.seconds.observe(stages.all / 1000);
    this.countStages(result, stages);
    add(figures.success, stages.all);
    add(figures.queue, stages.queue);
    figures.lastAt = Date.now();
    const { state } = result.cache;
    if (state !== 'BYPASS') add(state === 'HIT' ? figures.cacheHit : figures.cacheMiss, stages.cache);
    if (state === 'BYPASS' || state === 'MISS') countRun(figures, result, stages);
  }

  /** A call was refused, or failed. @param version undefined: it had found none @param ms since its first byte */
  countFailure(version: VersionRecord | undefined, error: unknown, ms: number): void {
    this.errors.count(codeOf(error));
    if (version !== undefined) add(this.counted(version).fail, ms);
  }

  /** Every version for which a call was counted. */
  get all(): ReadonlyMap<VersionRecord, VersionFigures> {
    return this.asked;
  }

  /** A version is gone: what still runs on it is told to nobody. */
  forget(version: VersionRecord): void {
    this.asked.delete(version);
  }

  private counted(version: VersionRecord): VersionFigures {
    const figures = this.of(version);
    if (!figures.counted) this.asked.set(version, figures);
    figures.counted = true;
    return figures;
  }

  private countStages(
    { batchRows, leads, cache: { state } }: Pick<CachedResult, 'batchRows' | 'leads' | 'cache'>,
    stages: CallStages,
  ): void {
    const { decode, cache, queue, infer, encode } = this.stages;
    decode.observe(stages.decode / 1000);
    encode.observe(stages.encode / 1000);
    if (state !== 'BYPASS') cache.observe(stages.cache / 1000);
    if (state !== 'HIT') queue.observe(stages.queue / 1000);
    if (!leads) return;
    infer.observe(stages.infer / 1000);
    this.batchRows.observe(batchRows);
  }
}

/** What an engine did for a call. */
function countRun(
  figures: VersionFigures,
  { rows, batchRows, leads }: Pick<CachedResult, 'rows' | 'batchRows' | 'leads'>,
  stages: CallStages,
): void {
  const runs = Number(leads);
  figures.rows += rows;
  figures.executions += runs;
  const batch = batchOf(figures, batchRows);
  for (const stage of ['decode', 'infer', 'encode'] as const) {
    // the calls of a run share what the engine took
    const ms = stage === 'infer' ? stages.infer * runs : stages[stage];
    add(figures[stage], ms, stage === 'infer' ? runs : 1);
    add(batch[stage], ms, runs);
  }
}

function tally(): Tally {
  return { count: 0, ms: 0 };
}

function batchOf({ batches }: VersionFigures, rows: number): BatchFigures {
  let batch = batches.get(rows);
  if (batch === undefined) batches.set(rows, (batch = { decode: tally(), infer: tally(), encode: tally() }));
  return batch;
}

function add(tallied: Tally, ms: number, count = 1): void {
  tallied.count += count;
  tallied.ms += ms;
}
