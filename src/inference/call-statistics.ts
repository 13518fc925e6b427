import { Injectable } from '@nestjs/common';
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

/** What one version was asked since this process started. */
export class VersionFigures {
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
    const figures = this.of(version);
    add(figures.success, stages.all);
    add(figures.queue, stages.queue);
    figures.lastAt = Date.now();
    const { state } = result.cache;
    if (state !== 'BYPASS') add(state === 'HIT' ? figures.cacheHit : figures.cacheMiss, stages.cache);
    if (state === 'BYPASS' || state === 'MISS') countRun(figures, result, stages);
  }

  /** A call that had found its version was refused, or failed. @param ms since its first byte */
  countFailure(version: VersionRecord, ms: number): void {
    add(this.of(version).fail, ms);
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
