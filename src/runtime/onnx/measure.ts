import { MACHINE } from '../machine';
import type { Measured } from '../model-runtime.port';
import { elementsOf, type Signature, type Tensor } from '../tensor';
import type { OnnxModel } from './onnx-model';
import { randomTensor, zeroTensor } from './sample-tensor';

const ROWS = [1, 2, 4, 8, 16, 32] as const;
const BATCH = 8;
/** For the whole curve, and for one of its points, ms. */
const BUDGET_MS = 250;
const POINT_MS = 30;
const MAX_RUNS = 50;
/** A batch is not worth its waiting for a gain below this. */
const GAIN = 1.05;

/** What loading took, and the memory before it. */
export interface LoadCost {
  readonly loadMs: number;
  readonly rssBefore: number;
}

/** Times a model at 1 to 32 rows (at most some 250 ms in all) and finds out what a batch does to its answers. @throws OnnxError on zeros */
export async function measure(model: OnnxModel, { loadMs, rssBefore }: LoadCost): Promise<Measured> {
  const about = { machine: MACHINE, loadMs };
  const probe = await Probe.of(model);
  if (probe === undefined) {
    const memoryBytes = grownSince(rssBefore);
    return { ...about, memoryBytes, curve: [], bestBatch: 1, batchable: false, exactInBatches: false, repeatable: false };
  }
  const batchable = await probe.isBatchable();
  const curve = await probe.curve(batchable ? ROWS : [1]);
  const exactInBatches = batchable && (await probe.isExactInBatches());
  const repeatable = await probe.isRepeatable();
  return { ...about, memoryBytes: grownSince(rssBefore), curve, bestBatch: bestOf(curve), batchable, exactInBatches, repeatable };
}

/** Runs a model on what it makes up itself: random numbers, or zeros where the model does not take those. */
class Probe {
  private constructor(
    private readonly model: OnnxModel,
    private readonly made: typeof randomTensor,
  ) {}

  /** @returns undefined where a dimension besides the first is free: what the model makes of a size nobody knows */
  static async of(model: OnnxModel): Promise<Probe | undefined> {
    if (!isSampled(model.signature)) return undefined;
    const random = new Probe(model, randomTensor);
    const works = await random.run(random.inputs(1)).then(
      () => true,
      () => false,
    );
    if (works) return random;
    const zeros = new Probe(model, zeroTensor);
    await zeros.run(zeros.inputs(1));
    return zeros;
  }

  async isBatchable(): Promise<boolean> {
    const { inputs } = this.model.signature;
    if (inputs.length === 0 || inputs.some(({ shape }) => shape[0] !== -1)) return false;
    for (const rows of [2, 3]) {
      // what is declared of outputs is often wrong: LightGBM's label says [1] and has a row for each
      const answer = await this.run(this.inputs(rows)).catch(() => []);
      if (answer.length === 0 || answer.some(({ shape }) => shape[0] !== rows)) return false;
    }
    return true;
  }

  /** A model that is slow beyond the budget is timed at fewer rows. */
  async curve(rows: readonly number[]): Promise<Measured['curve']> {
    const points: { rows: number; micros: number }[] = [];
    const startedAt = performance.now();
    for (const count of rows) {
      if (points.length > 0 && performance.now() - startedAt > BUDGET_MS) break;
      points.push({ rows: count, micros: await this.medianMicros(this.inputs(count)) });
    }
    return points;
  }

  async isExactInBatches(): Promise<boolean> {
    const inputs = this.inputs(BATCH);
    const together = await this.run(inputs);
    for (let row = 0; row < BATCH; row++) {
      const alone = await this.run(inputs.map((tensor) => rowOf(tensor, row)));
      if (!sameBits(alone, together.map((tensor) => rowOf(tensor, row)))) return false; // prettier-ignore
    }
    return true;
  }

  async isRepeatable(): Promise<boolean> {
    const inputs = this.inputs(1);
    return sameBits(await this.run(inputs), await this.run(inputs));
  }

  inputs(rows: number): readonly Tensor[] {
    return this.model.signature.inputs.map((spec) => this.made(spec, rows));
  }

  run(inputs: readonly Tensor[]): Promise<readonly Tensor[]> {
    return this.model.run(inputs, this.model.signature.outputs.map(({ name }) => name)); // prettier-ignore
  }

  private async medianMicros(inputs: readonly Tensor[]): Promise<number> {
    const times: number[] = [];
    const startedAt = performance.now();
    do {
      const runAt = performance.now();
      await this.run(inputs);
      times.push(performance.now() - runAt);
    } while (times.length < MAX_RUNS && performance.now() - startedAt < POINT_MS);
    return Math.round((times.sort((a, b) => a - b)[times.length >> 1] as number) * 10_000) / 10;
  }
}

function isSampled({ inputs }: Signature): boolean {
  return inputs.every(({ shape }) => !shape.slice(1).includes(-1));
}

function bestOf(curve: Measured['curve']): number {
  const least = Math.min(...curve.map(({ rows, micros }) => micros / rows));
  return curve.find(({ rows, micros }) => micros / rows <= least * GAIN)?.rows ?? 1;
}

function grownSince(rssBefore: number): number {
  return Math.max(0, process.memoryUsage.rss() - rssBefore);
}

function rowOf({ name, datatype, shape, data }: Tensor, row: number): Tensor {
  const inner = shape.slice(1);
  const size = elementsOf(inner);
  return { name, datatype, shape: [1, ...inner], data: data.slice(row * size, (row + 1) * size) };
}

/** NaN is equal to itself here, and 0 is not equal to -0. */
function sameBits(some: readonly Tensor[], others: readonly Tensor[]): boolean {
  return some.every(({ data }, at) => {
    const other = others[at]?.data;
    return other?.length === data.length && (data as readonly unknown[]).every((value, index) => Object.is(value, other[index]));
  });
}
