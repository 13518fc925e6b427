import type { InferenceCall } from '../../src/inference/inference-call';
import type { ModelMetadata } from '../../src/models/upload/model-metadata';
import type { VersionRecord } from '../../src/models/registry/registry-records';
import { ServedVersion } from '../../src/models/serving/served-version';
import type { EngineAnswer, EngineRun, LoadedModel, NextRun } from '../../src/runtime/model-runtime.port';
import type { Tensor } from '../../src/runtime/tensor';
import { MEASURED } from '../process/any-runtime';

/** Hosts that are free at once, or when a test lets one free: y = 2x, FP32 [N, 1]. What it ran is written down, row by row. */
export class DoublingModel implements LoadedModel {
  readonly runs: (readonly number[])[] = [];
  /** What a run is to fail with, if with anything. */
  fault: (rows: readonly number[]) => Error | undefined = () => undefined;
  private readonly waiting: (() => void)[] = [];

  /** @param busy whether every engine is, until `free` */
  constructor(public busy = false) {}

  async run(next: NextRun): Promise<EngineAnswer> {
    if (this.busy) await new Promise<void>((resolve) => void this.waiting.push(resolve));
    else await Promise.resolve();
    const run = next();
    if (run === undefined) return { outputs: [], inferMs: 0 };
    return this.compute(run);
  }

  /** Lets so many of those that wait begin. */
  async free(engines = Number.POSITIVE_INFINITY): Promise<void> {
    for (const begin of this.waiting.splice(0, engines)) begin();
    await new Promise(setImmediate);
  }

  async unload(): Promise<void> {}

  private compute({ inputs, outputs }: EngineRun): EngineAnswer {
    const [x] = inputs as readonly [Tensor];
    const rows = [...(x.data as Float32Array)];
    this.runs.push(rows);
    const fault = this.fault(rows);
    if (fault !== undefined) throw fault;
    return { outputs: outputs.map((name) => ({ ...x, name, data: Float32Array.from(rows, (row) => 2 * row) })), inferMs: 1 };
  }
}

/** A version that is best run in batches of so many rows; 1: in none. */
export function servedBy(
  model: LoadedModel,
  bestBatch: number,
  metadata: ModelMetadata = {},
  exactInBatches = true,
  repeatable = false,
): ServedVersion {
  const record = {
    model: 'doubling',
    version: 1,
    executable: 'd'.repeat(64),
    manifest: { files: [], metadata },
    signature: {
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 1] }],
      outputs: [
        { name: 'y', datatype: 'FP32', shape: [-1, 1] },
        { name: 'z', datatype: 'FP32', shape: [-1, 1] },
      ],
    },
  } as unknown as VersionRecord;
  const measured = { ...MEASURED, batchable: bestBatch > 1, bestBatch, exactInBatches, repeatable };
  return new ServedVersion(record, model, { release: async () => {} }, () => measured);
}

let calls = 0;

/** A call with these rows. */
export function callOf(target: ServedVersion, rows: readonly number[], more: Partial<InferenceCall> = {}): InferenceCall {
  const x: Tensor = { name: 'x', datatype: 'FP32', shape: [rows.length, 1], data: Float32Array.from(rows) };
  return { target, inputs: [x], outputs: ['y'], caller: 'ada', correlationId: `call-${++calls}`, ...more };
}
