import { Injectable } from '@nestjs/common';
import type { VersionRecord } from '../models/registry/registry-records';
import type { Tensor } from '../runtime/tensor';

/** How long a call took, milliseconds: each stage of it, and all of it since its first byte. */
export interface CallStages {
  readonly decode: number;
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

/** What one version was asked since this process started. */
export class VersionFigures {
  readonly success = tally();
  readonly fail = tally();
  readonly queue = tally();
  readonly decode = tally();
  readonly infer = tally();
  readonly encode = tally();
  /** Rows that the engine computed. */
  rows = 0;
  /** Runs of the engine. */
  executions = 0;
  /** When the last answer was made, milliseconds since 1970; 0: never. */
  lastAt = 0;
  /** By rows of a run. */
  readonly batches = new Map<number, { readonly decode: Tally; readonly infer: Tally; readonly encode: Tally }>();
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
  countAnswer(version: VersionRecord, inputs: readonly Tensor[], stages: CallStages): void {
    const figures = this.of(version);
    const rows = rowsOf(version, inputs);
    add(figures.success, stages.all);
    add(figures.queue, stages.queue);
    figures.rows += rows;
    figures.executions += 1;
    figures.lastAt = Date.now();
    let batch = figures.batches.get(rows);
    if (batch === undefined) figures.batches.set(rows, (batch = { decode: tally(), infer: tally(), encode: tally() }));
    for (const stage of ['decode', 'infer', 'encode'] as const) {
      add(figures[stage], stages[stage]);
      add(batch[stage], stages[stage]);
    }
  }

  /** A call that had found its version was refused, or failed. @param ms since its first byte */
  countFailure(version: VersionRecord, ms: number): void {
    add(this.of(version).fail, ms);
  }
}

/** Rows of a call: as long as the first dimension where that is free, else one. */
function rowsOf({ signature }: VersionRecord, inputs: readonly Tensor[]): number {
  const free = signature.inputs.length > 0 && signature.inputs.every(({ shape }) => shape[0] === -1);
  return free ? (inputs[0]?.shape[0] ?? 1) : 1;
}

function tally(): Tally {
  return { count: 0, ms: 0 };
}

function add(tallied: Tally, ms: number): void {
  tallied.count += 1;
  tallied.ms += ms;
}
