import type { Tally, VersionFigures } from '../../inference/call-statistics';
import type { VersionRecord } from '../../models/registry/registry-records';

interface Duration {
  readonly count: number;
  /** Nanoseconds in sum. */
  readonly ns: number;
}

/** https://github.com/triton-inference-server/server, docs/protocol/extension_statistics.md. */
export interface ModelStatistics {
  readonly name: string;
  readonly version: string;
  readonly last_inference: number;
  readonly inference_count: number;
  readonly execution_count: number;
  readonly inference_stats: Readonly<Record<string, Duration>>;
  readonly response_stats: object;
  readonly batch_stats: readonly object[];
  readonly memory_usage: readonly object[];
}

const NS_PER_MS = 1e6;

/** The figures of a version as the protocol has them: its compute_input is our decoding, its compute_output our encoding. */
export function statisticsOf({ model, version }: VersionRecord, figures: VersionFigures): ModelStatistics {
  const { success, fail, queue, decode, infer, encode, cacheHit, cacheMiss, rows, executions, lastAt, batches } = figures;
  return {
    name: model,
    version: String(version),
    last_inference: lastAt,
    inference_count: rows,
    execution_count: executions,
    inference_stats: {
      success: duration(success),
      fail: duration(fail),
      queue: duration(queue),
      compute_input: duration(decode),
      compute_infer: duration(infer),
      compute_output: duration(encode),
      cache_hit: duration(cacheHit),
      cache_miss: duration(cacheMiss),
    },
    response_stats: {},
    batch_stats: [...batches]
      .toSorted(([a], [b]) => a - b)
      .map(([size, batch]) => ({
        batch_size: size,
        compute_input: duration(batch.decode),
        compute_infer: duration(batch.infer),
        compute_output: duration(batch.encode),
      })),
    memory_usage: [],
  };
}

function duration({ count, ms }: Tally): Duration {
  return { count, ns: Math.round(ms * NS_PER_MS) };
}
