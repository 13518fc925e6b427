import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { classifierWithLabels, failing, identity, linear, nanOutput, twoInputs } from '../../../test/onnx/models';
import { type Attribute, type Dim, DTYPE, floats, type Graph, int64s, type Node, onnxModel } from '../../../test/onnx/onnx-writer';
import { realModels } from '../../../test/real-models/oracle';
import { MACHINE } from '../machine';
import type { Measured } from '../model-runtime.port';
import type { Tensor } from '../tensor';
import { measure } from './measure';
import { OnnxError } from '../onnx/onnx-error';
import { openOnnx } from '../onnx/onnx-file';
import { OnnxModel } from '../onnx/onnx-model';

const ROWS = [1, 2, 4, 8, 16, 32];
const ALL_ROWS = [...ROWS, 128, 1024];

const node = (op: string, inputs: readonly string[], output: string, attributes: Record<string, Attribute> = {}): Node => {
  return { op, inputs, outputs: [output], attributes };
};
const int = (value: number): Attribute => ({ int: value });
const float = (name: string, ...dims: Dim[]) => ({ name, dtype: DTYPE.float32, dims });

/** A model from x, FP32 [N, 1] unless told otherwise, to y. */
function model(nodes: readonly Node[], { inputs = [float('x', 'N', 1)], outputs = [float('y', 'N', 1)], ...more }: Partial<Graph> = {}) {
  return onnxModel({ graph: { name: 'made', inputs, outputs, nodes, ...more } });
}

/** Makes `rows`, how many there are; with PLACES also `added`, which has for each row what stands at its place in a table. */
const COUNT = [node('Shape', ['x'], 'shape'), node('Gather', ['shape', 'zero'], 'rows')];
const PLACES = [...COUNT, node('Range', ['zero', 'rows', 'one'], 'at'), node('Gather', ['table', 'at'], 'added')];
const places = (length: number) => {
  const table = Float32Array.from({ length }, (_, place) => place);
  return [int64s('zero', [], [0]), int64s('one', [], [1]), floats('table', [length, 1], table)];
};

const rowsOf = ([first]: readonly Tensor[]): number => first?.shape[0] ?? 1;

describe(measure, () => {
  const loaded: OnnxModel[] = [];
  async function load(bytes: Uint8Array): Promise<OnnxModel> {
    const one = await OnnxModel.load(openOnnx(bytes).bytes);
    loaded.push(one);
    return one;
  }
  let now = 0;
  /** Stands still, so that a busy machine changes nothing. */
  beforeEach(() => void jest.spyOn(performance, 'now').mockImplementation(() => now));
  afterEach(async () => {
    jest.restoreAllMocks();
    await Promise.all(loaded.splice(0).map((one) => one.release()));
  });

  const COST = { loadMs: 12, rssBefore: 0 };
  const measured = async (bytes: Uint8Array): Promise<Measured> => measure(await load(bytes), COST);
  const onBatches = ({ batchable, exactInBatches, repeatable }: Measured) => ({ batchable, exactInBatches, repeatable });
  const fileOf = (name: string) => readFileSync(join(__dirname, `../../../test/real-models/${name}.onnx`));

  /** Measures a model of which a run takes as long as it is told. */
  async function timed(bytes: Uint8Array, costMs: (rows: number) => number): Promise<Measured> {
    const one = await load(bytes);
    const run = one.run.bind(one);
    jest.spyOn(one, 'run').mockImplementation((inputs, outputs) => {
      now += costMs(rowsOf(inputs));
      return run(inputs, outputs);
    });
    return measure(one, COST);
  }

  it('tells what it was told of the load, the machine, and how much the process has grown since', async () => {
    const { loadMs, machine, memoryBytes } = await measured(linear([[1]]));
    expect({ loadMs, machine }).toEqual({ loadMs: 12, machine: MACHINE });
    expect(memoryBytes).toBeGreaterThan(2 ** 20);
    expect(memoryBytes).toBeLessThanOrEqual(process.resourceUsage().maxRSS * 1024);
    const shrunk = await measure(await load(linear([[1]])), { loadMs: 12, rssBefore: Number.MAX_SAFE_INTEGER });
    expect(shrunk.memoryBytes).toBe(0);
  });

  describe('the curve', () => {
    it.each([
      ['a model that was written here', linear([[1]])],
      ['LightGBM', fileOf('lightgbm-binary')],
      ['an LSTM', fileOf('torch-lstm')],
      ['columns of several datatypes', fileOf('mixed-columns')],
    ])('has a time for every number of rows, by the clock: %s', async (_what, bytes) => {
      jest.restoreAllMocks();
      const { curve } = await measured(bytes);
      expect(curve.map(({ rows }) => rows)).toEqual(ALL_ROWS.slice(0, curve.length)); // on a busy machine the budget may be over before
      expect(curve.length).toBeGreaterThan(0);
      expect(curve.filter(({ micros }) => !(micros > 0 && micros < 10_000_000))).toEqual([]);
    });

    it('is the microseconds of a run at 1 to 32 rows', async () => {
      const { curve } = await timed(linear([[1]]), (rows) => 1 + rows / 10);
      expect(curve).toEqual(ROWS.map((rows) => ({ rows, micros: expect.closeTo(1000 + rows * 100, 0) })));
    });

    it('is the median: a run that was disturbed does not count', async () => {
      let run = 0;
      const { curve } = await timed(linear([[1]]), () => [2, 1, 9][run++ % 3] as number);
      expect(curve).toEqual(ROWS.map((rows) => ({ rows, micros: expect.closeTo(2000, 0) })));
    });

    it('has no word of the first run, in which the engine prepares itself', async () => {
      let run = 0;
      const { curve } = await timed(fileOf('torch-mlp-fixed-batch'), () => (run++ === 0 ? 5000 : 1000));
      expect(curve).toEqual([{ rows: 1, micros: 1_000_000 }]);
    });

    it('ends where the budget is used up, but never before the first point', async () => {
      expect((await timed(linear([[1]]), (rows) => rows * 60)).curve.map(({ rows }) => rows)).toEqual([1, 2, 4]);
      expect((await timed(linear([[1]]), () => 1000)).curve).toEqual([{ rows: 1, micros: 1_000_000 }]);
    });

    it('goes on to rows that come in one call only, where they may be expected to take 2 ms at most', async () => {
      const rowsAt = async (costMs: (rows: number) => number) => (await timed(linear([[1]]), costMs)).curve.map(({ rows }) => rows);
      expect(await rowsAt(() => 0.01)).toEqual(ALL_ROWS);
      expect(await rowsAt((rows) => rows / 100)).toEqual([...ROWS, 128]);
      expect(await rowsAt((rows) => rows / 50)).toEqual(ROWS);
      const wide = Array.from({ length: 2000 }, () => [1]);
      expect((await timed(linear(wide), () => 0.01)).curve.map(({ rows }) => rows)).toEqual([...ROWS, 128]); // 2 million numbers else
    });

    it('never makes a batch of that many', async () => {
      expect((await timed(linear([[1]]), () => 0.01)).bestBatch).toBe(32);
    });

    it('costs a model that is fast some hundred runs, and one that is slow few', async () => {
      const runs = async (costMs: number) => {
        let count = 0;
        await timed(linear([[1]]), () => (count++, costMs));
        return count;
      };
      expect(await runs(1)).toBeLessThan(500);
      expect(await runs(1000)).toBeLessThan(20);
    });

    it('has one row only where rows cannot be put together', async () => {
      expect((await timed(fileOf('torch-mlp-fixed-batch'), () => 2)).curve).toEqual([{ rows: 1, micros: expect.closeTo(2000, 0) }]);
    });
  });

  describe('the best batch', () => {
    it.each<[number, string, (rows: number) => number]>([
      [32, 'a run costs the same however many rows it has', () => 1],
      [1, 'every row costs the same', (rows) => rows],
      [1, 'rows become dearer together', (rows) => rows ** 1.5],
      [8, 'rows become cheaper up to 8', (rows) => Math.max(8, rows)],
      [16, 'the last doubling gains less than 5 %', (rows) => ({ 16: 16, 32: 32 * 0.96 })[rows] ?? rows * 2],
      [32, 'the last doubling gains more than 5 %', (rows) => ({ 16: 16, 32: 32 * 0.94 })[rows] ?? rows * 2],
      [2, 'a row is cheapest at 2', (rows) => (rows === 2 ? 1 : rows)],
    ])('is %i rows where %s', async (best, _what, costMs) => {
      expect((await timed(linear([[1]]), (rows) => costMs(rows) / 10)).bestBatch).toBe(best);
    });

    it('is one row where rows cannot be put together', async () => {
      expect((await timed(fileOf('torch-mlp-fixed-batch'), () => 1)).bestBatch).toBe(1);
    });
  });

  describe('rows can be put together', () => {
    it.each<[string, Uint8Array]>([
      ['one input', linear([[1, 2]])],
      ['two inputs', twoInputs()],
      ['two outputs', classifierWithLabels()],
      ['rows of one number, without a dimension for it', identity(DTYPE.float32, ['N'])],
      ['whole numbers that are indices', failing()],
      ['texts', identity(DTYPE.string, ['N', 2])],
      ['FP16', identity(DTYPE.float16, ['N', 2])],
      ['answers that are NaN', nanOutput()],
      ['an LSTM', fileOf('torch-lstm')],
      ['LightGBM, whose label is declared to be one for all rows', fileOf('lightgbm-binary')],
    ])('where every input has free rows and every output follows them: %s', async (_what, bytes) => {
      const found = await measured(bytes);
      expect(found).toMatchObject({ batchable: true, repeatable: true }); // whether sums are exact is the processor's to say
      expect(found.curve.map(({ rows }) => rows)).toEqual(ALL_ROWS);
    });

    const constant = { initializers: [floats('one', [1, 1], [1])] };
    const square = float('x', 'N', 4);
    it.each<[string, Uint8Array]>([
      ['a fixed batch', fileOf('torch-mlp-fixed-batch')],
      ['one row, fixed', identity(DTYPE.float32, [1, 4])],
      ['a scalar', identity(DTYPE.float32, [])],
      ['no input', model([node('Identity', ['one'], 'y')], { ...constant, inputs: [], outputs: [float('y', 1, 1)] })],
      [
        'an input of fixed rows beside one of free rows',
        model([node('Add', ['x', 'z'], 'y')], { inputs: [float('x', 'N', 1), float('z', 1, 1)] }),
      ],
      ['an output of one row for all', model([node('ReduceSum', ['x'], 'y', { keepdims: int(1) })], { outputs: [float('y', 1, 1)] })],
      ['a scalar for all', model([node('ReduceSum', ['x'], 'y', { keepdims: int(0) })], { outputs: [float('y')] })],
      [
        'an output that follows beside one that does not',
        model([node('Identity', ['x'], 'y'), node('ReduceSum', ['x'], 'z', { keepdims: int(1) })], {
          outputs: [float('y', 'N', 1), float('z', 1, 1)],
        }),
      ],
      ['rows in the second dimension', model([node('Transpose', ['x'], 'y')], { inputs: [square], outputs: [float('y', 4, 'N')] })],
      [
        'two rows for each',
        model([node('Concat', ['x', 'x'], 'y', { axis: int(0) })], { inputs: [square], outputs: [float('y', 'M', 4)] }),
      ],
      [
        'a shape inside that is for one row',
        model([node('Reshape', ['x', 'shape'], 'y')], {
          inputs: [square],
          outputs: [float('y', 1, 4)],
          initializers: [int64s('shape', [2], [1, 4])],
        }),
      ],
    ])('not where there is %s', async (_what, bytes) => {
      const found = await measured(bytes);
      expect(onBatches(found)).toEqual({ batchable: false, exactInBatches: false, repeatable: true });
      expect(found.curve.map(({ rows }) => rows)).toEqual([1]);
    });

    it('not where many rows are too many, and says so instead of refusing the model', async () => {
      const found = await measured(model([...PLACES, node('Add', ['x', 'added'], 'y')], { initializers: places(5) }));
      expect(onBatches(found)).toEqual({ batchable: false, exactInBatches: false, repeatable: true });
      expect(found).toMatchObject({ curve: [{ rows: 1 }], bestBatch: 1 });
    });

    it('not where many rows are too many, and tries one row on random numbers all the same: zeros hide what noise does', async () => {
      const noisy = [node('RandomNormalLike', ['x'], 'noise'), node('Mul', ['x', 'noise'], 'product')];
      const found = await measured(model([...PLACES, ...noisy, node('Add', ['product', 'added'], 'y')], { initializers: places(5) }));
      expect(onBatches(found)).toEqual({ batchable: false, exactInBatches: false, repeatable: false });
    });
  });

  describe('a row has the same bits in a batch', () => {
    it('not where the answer for a row depends on the others', async () => {
      const mean = node('ReduceMean', ['x'], 'mean', { axes: { ints: [0] }, keepdims: int(1) });
      const found = await measured(model([mean, node('Sub', ['x', 'mean'], 'y')]));
      expect(onBatches(found)).toEqual({ batchable: true, exactInBatches: false, repeatable: true });
    });

    it('not where the answer for a row depends on its place, even though the first is right', async () => {
      const found = await measured(model([...PLACES, node('Add', ['x', 'added'], 'y')], { initializers: places(64) }));
      expect(onBatches(found)).toEqual({ batchable: true, exactInBatches: false, repeatable: true });
    });

    it('not where only more than eight rows change the answer', async () => {
      const many = [node('Greater', ['rows', 'eight'], 'many'), node('Cast', ['many'], 'one-or-zero', { to: int(DTYPE.float32) })];
      const initializers = [...places(1), int64s('eight', [], [8])];
      const found = await measured(model([...COUNT, ...many, node('Add', ['x', 'one-or-zero'], 'y')], { initializers }));
      expect(onBatches(found)).toEqual({ batchable: true, exactInBatches: false, repeatable: true });
    });

    it('not where one row of twenty is another one in company, of which one batch often shows nothing', async () => {
      const company = [node('Greater', ['rows', 'one'], 'not-alone'), node('Greater', ['x', 'limit'], 'above')];
      const more = [node('And', ['above', 'not-alone'], 'changed'), node('Cast', ['changed'], 'added', { to: int(DTYPE.float32) })];
      const initializers = [int64s('zero', [], [0]), int64s('one', [], [1]), floats('limit', [], [0.45])];
      const bytes = model([...COUNT, ...company, ...more, node('Add', ['x', 'added'], 'y')], { initializers });
      const found = await Promise.all(Array.from({ length: 10 }, () => measured(bytes)));
      expect(found.map(({ exactInBatches }) => exactInBatches)).toEqual(Array<boolean>(10).fill(false));
    });

    it.each<[string, Uint8Array]>([
      ['a copy', identity(DTYPE.float32, ['N', 3])],
      ['two inputs, two outputs', twoInputs()],
      ['texts', identity(DTYPE.string, ['N', 2])],
      ['answers that are NaN', nanOutput()],
      ['an answer from a table', failing()],
    ])('where it is computed for itself: %s', async (_what, bytes) => {
      expect(onBatches(await measured(bytes))).toEqual({ batchable: true, exactInBatches: true, repeatable: true });
    });

    it.each(realModels().filter(({ name }) => /^(random-forest|decision-tree|xgboost|lightgbm)/.test(name)))(
      'of trees: $name',
      async ({ bytes }) => {
        expect(onBatches(await measured(bytes))).toEqual({ batchable: true, exactInBatches: true, repeatable: true });
      },
    );
  });

  describe('two runs give the same bits', () => {
    it('not where noise is added', async () => {
      const noise = node('RandomNormalLike', ['x'], 'noise');
      expect((await measured(model([noise, node('Add', ['x', 'noise'], 'y')]))).repeatable).toBe(false);
    });

    it('not where a coin is tossed, which falls on the same side twice every other time', async () => {
      const tossed = (seed: number) => {
        const toss = node('Bernoulli', ['chance'], 'y', { seed: { float: seed } });
        const nodes = [node('Mul', ['x', 'zero'], 'nothing'), node('Add', ['nothing', 'half'], 'chance'), toss];
        return measured(model(nodes, { initializers: [floats('zero', [], [0]), floats('half', [], [0.5])] }));
      };
      const found = await Promise.all(Array.from({ length: 20 }, (_, seed) => tossed(seed)));
      expect(found.map(({ repeatable }) => repeatable)).toEqual(Array<boolean>(20).fill(false));
    });

    it('not where noise is added to a model that has no free rows', async () => {
      const fixed = { inputs: [float('x', 1, 1)], outputs: [float('y', 1, 1)] };
      const noisy = model([node('RandomNormalLike', ['x'], 'noise'), node('Add', ['x', 'noise'], 'y')], fixed);
      expect(onBatches(await measured(noisy))).toEqual({ batchable: false, exactInBatches: false, repeatable: false });
    });
  });

  describe('a model that takes not everything', () => {
    it.each<[string, readonly Dim[]]>([
      ['its second dimension', ['N', null]],
      ['its third dimension', ['N', 2, 'L']],
    ])('is not run where %s is free, and nothing is promised of it', async (_what, dims) => {
      const one = await load(identity(DTYPE.float32, dims));
      const run = jest.spyOn(one, 'run');
      const found = await measure(one, COST);
      expect(onBatches(found)).toEqual({ batchable: false, exactInBatches: false, repeatable: false });
      expect(found).toMatchObject({ curve: [], bestBatch: 1, loadMs: 12, machine: MACHINE });
      expect(found.memoryBytes).toBeGreaterThan(0);
      expect(run).not.toHaveBeenCalled();
    });

    const indices = { name: 'x', dtype: DTYPE.int64, dims: ['N'] };
    const table = { inputs: [indices], outputs: [float('y', 'N')], initializers: [floats('table', [1], [7])] };

    it('is measured on zeros where it takes those only, and is never said to be exact on them', async () => {
      const bytes = model([node('Gather', ['table', 'x'], 'y')], table);
      expect(onBatches(await measured(bytes))).toEqual({ batchable: true, exactInBatches: false, repeatable: true });
    });

    it('is measured the same every time where it takes some random numbers and others not', async () => {
      const bytes = model([node('Gather', ['table', 'x'], 'y')], table);
      const found = await Promise.all(Array.from({ length: 40 }, () => measured(bytes)));
      expect(new Set(found.map(({ batchable, curve }) => JSON.stringify([batchable, curve.length])))).toEqual(new Set(['[true,8]']));
    });

    it('is refused where it does not take zeros either, with the engine’s own word', async () => {
      const empty = { ...table, initializers: [floats('table', [0], [])] };
      const measuring = measured(model([node('Gather', ['table', 'x'], 'y')], empty));
      await expect(measuring).rejects.toThrow(OnnxError);
      await expect(measuring).rejects.toThrow(/out of data bounds/);
    });
  });
});
