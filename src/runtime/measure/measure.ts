import type { EngineModel } from '../engine-model';
import { MACHINE } from '../machine';
import type { Measured } from '../model-runtime.port';
import { elementsOf, type Signature, type Tensor } from '../tensor';
import { randomTensor, zeroTensor } from './sample-tensor';

const ROWS = [1, 2, 4, 8, 16, 32] as const;
/** That many come in one call only: what they take tells where such a call may run. */
const MANY_ROWS = [128, 1024] as const;
/** So long a run of many rows may be expected to take, microseconds, and so many numbers may go into it, to be tried at all. */
const [MANY_MICROS, MANY_ELEMENTS] = [2000, 2 ** 20];
const BATCH = 8;
/** For the whole curve, ms. */
const BUDGET_MS = 250;
/** For one of its points, and for whatever else is done again and again, ms; and how often at most. */
const POINT_MS = 30;
const MAX_RUNS = 50;
/** A batch is not worth its waiting for a gain below this. */
const GAIN = 1.05;

/** What loading took, and the memory before it. */
export interface LoadCost {
  readonly loadMs: number;
  readonly rssBefore: number;
}

/** What runs tell. */
type Found = Pick<Measured, 'curve' | 'bestBatch' | 'batchable' | 'exactInBatches' | 'repeatable'>;

const NOTHING: Found = { curve: [], bestBatch: 1, batchable: false, exactInBatches: false, repeatable: false };

/** Times a model at 1 to 1 024 rows (at most some 250 ms in all) and finds out what a batch does to its answers. @throws EngineError on zeros */
export async function measure(model: EngineModel, { loadMs, rssBefore }: LoadCost): Promise<Measured> {
  const { backend, signature } = model;
  const found = isSampled(signature) ? await find(model) : NOTHING;
  const rounded = Math.round(loadMs * 100) / 100;
  return { machine: MACHINE, loadMs: rounded, memoryBytes: grownSince(rssBefore), ...found, ...(backend !== undefined && { backend }) };
}

/** Random numbers tell most, but a model may not take some of them, and then zeros; or not as many rows, and then one. */
async function find(model: EngineModel): Promise<Found> {
  const random = new Probe(model, randomTensor);
  const zeros = new Probe(model, zeroTensor);
  return random
    .find()
    .catch(() => zeros.find())
    .catch(() => random.find(false))
    .catch(() => zeros.find(false));
}

/** Runs a model on what it makes up itself. */
class Probe {
  constructor(
    private readonly model: EngineModel,
    private readonly made: typeof randomTensor,
  ) {}

  /** @param together whether rows may be put together @throws EngineError where one of the runs fails */
  async find(together = true): Promise<Found> {
    await this.run(this.inputs(1)); // the first run takes longest
    const batchable = together && (await this.isBatchable());
    const curve = await this.curve(batchable ? ROWS : [1]);
    // zeros are all the same row, which shows nothing
    const exactInBatches = batchable && this.made !== zeroTensor && (await this.isExactInBatches());
    const whole = curve.length === ROWS.length ? await this.manyRows(curve) : curve;
    return { curve: whole, bestBatch: bestOf(curve), batchable, exactInBatches, repeatable: await this.isRepeatable() };
  }

  private async isBatchable(): Promise<boolean> {
    const { inputs } = this.model.signature;
    if (inputs.length === 0 || inputs.some(({ shape }) => shape[0] !== -1)) return false;
    for (const rows of [2, 3]) {
      // what is declared of outputs is often wrong: LightGBM's label says [1] and has a row for each
      const answer = await this.run(this.inputs(rows));
      if (answer.some(({ shape }) => shape[0] !== rows)) return false;
    }
    return true;
  }

  /** A model that is slow beyond the budget is timed at fewer rows. */
  private async curve(rows: readonly number[]): Promise<Measured['curve']> {
    const points: { rows: number; micros: number }[] = [];
    const startedAt = performance.now();
    for (const count of rows) {
      if (points.length > 0 && performance.now() - startedAt > BUDGET_MS) break;
      points.push({ rows: count, micros: await this.medianMicros(this.inputs(count)) });
    }
    return points;
  }

  /** Goes on with a curve of batches, as far as that is cheap. That a model takes only so many rows is no fault of it. */
  private async manyRows(curve: Measured['curve']): Promise<Measured['curve']> {
    const elements = this.model.signature.inputs.reduce((sum, { shape }) => sum + elementsOf(shape.slice(1)), 0);
    const points = [...curve];
    for (const rows of MANY_ROWS) {
      const last = points.at(-1) as Measured['curve'][number];
      if ((last.micros * rows) / last.rows > MANY_MICROS || elements * rows > MANY_ELEMENTS) break;
      const micros = await this.medianMicros(this.inputs(rows)).catch(() => undefined);
      if (micros === undefined) break;
      points.push({ rows, micros });
    }
    return points;
  }

  /** Of a model that is not exact most rows are all the same, so one batch shows too little. */
  private isExactInBatches(): Promise<boolean> {
    return holds((turn) => this.isExact(BATCH + (turn % BATCH)));
  }

  private async isExact(rows: number): Promise<boolean> {
    const inputs = this.inputs(rows);
    const together = await this.run(inputs);
    for (let row = 0; row < rows; row++) {
      const alone = await this.run(inputs.map((tensor) => rowOf(tensor, row)));
      if (!sameBits(alone, together.map((tensor) => rowOf(tensor, row)))) return false; // prettier-ignore
    }
    return true;
  }

  /** Chance may give the same answer twice, but not often. */
  private async isRepeatable(): Promise<boolean> {
    const inputs = this.inputs(1);
    const first = await this.run(inputs);
    return holds(async () => sameBits(first, await this.run(inputs)));
  }

  private inputs(rows: number): readonly Tensor[] {
    return this.model.signature.inputs.map((spec) => this.made(spec, rows));
  }

  private run(inputs: readonly Tensor[]): Promise<readonly Tensor[]> {
    return this.model.run(inputs, this.model.signature.outputs.map(({ name }) => name)); // prettier-ignore
  }

  private async medianMicros(inputs: readonly Tensor[]): Promise<number> {
    const times: number[] = [];
    await holds(async () => {
      const runAt = performance.now();
      await this.run(inputs);
      return times.push(performance.now() - runAt) > 0;
    });
    return Math.round((times.sort((a, b) => a - b)[times.length >> 1] as number) * 10_000) / 10;
  }
}

/** Whether something is true once, and again and again for a while. */
async function holds(check: (turn: number) => Promise<boolean>): Promise<boolean> {
  const startedAt = performance.now();
  let turn = 0;
  do if (!(await check(turn++))) return false;
  while (turn < MAX_RUNS && performance.now() - startedAt < POINT_MS);
  return true;
}

/** Where a dimension besides the first is free, nobody knows what the model makes of a size. */
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
