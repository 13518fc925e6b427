import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import * as models from './models';
import { type Attribute, DTYPE, onnxModel, rawFloats } from './onnx-writer';

const QUIET = { logSeverityLevel: 4, intraOpNumThreads: 1 } as const;
const HARMLESS = [0, 0.25, models.HARM_ABOVE, -1];

const floats = (dims: readonly number[], values: readonly number[]) => new Tensor('float32', Float32Array.from(values), dims);
const column = (...values: number[]) => floats([values.length, 1], values);
const int64s = (...values: number[]) => new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);

type Use<T> = (session: InferenceSession) => T | Promise<T>;
async function withSession<T>(model: Buffer, use: Use<T>, options: InferenceSession.SessionOptions = {}): Promise<T> {
  const session = await InferenceSession.create(model, { ...QUIET, ...options });
  try {
    return await use(session);
  } finally {
    await session.release();
  }
}

const plain = (result: InferenceSession.ReturnType) =>
  Object.fromEntries(Object.entries(result).map(([name, { dims, data }]) => [name, { dims: [...dims], data: Array.from<unknown>(data) }]));

/** Loads, runs once, releases. @returns dims and values of each output, or of those named */
const answer = (model: Buffer, feeds: InferenceSession.FeedsType, fetches?: readonly string[]) =>
  withSession(model, async (session) => plain(await session.run(feeds, fetches ?? session.outputNames)));

/** What the engine says of inputs and outputs: 'x float32 N,2'; a dim that is free and has no name is empty. */
const signature = (model: Buffer) =>
  withSession(model, ({ inputMetadata, outputMetadata }) =>
    [...inputMetadata, ...outputMetadata].map((one) => `${one.name} ${one.isTensor ? `${one.type} ${one.shape.join()}` : 'no tensor'}`),
  );

/** Loads ./model.onnx and runs one row per x; prints a line when it is loaded, and one per run: y or the message of the error. */
const CHILD = `
  const { writeSync, readFileSync } = require('node:fs');
  const { InferenceSession, Tensor } = require(process.argv[1]);
  const { xs, width, options } = JSON.parse(process.argv[2]);
  const say = (line) => writeSync(1, JSON.stringify(line) + '\\n');
  (async () => {
    const session = await InferenceSession.create(readFileSync('model.onnx'), options);
    say('loaded');
    for (const x of xs) {
      const feeds = { x: new Tensor('float32', new Float32Array(width).fill(x), [1, width]) };
      await session.run(feeds).then(({ y }) => say([...y.data]), (error) => say(error.message));
    }
  })().catch((error) => say('refused: ' + error.message));`;

interface Work {
  readonly xs: readonly number[];
  readonly width?: number;
  readonly options?: InferenceSession.SessionOptions;
  /** RLIMIT_DATA, which Linux keeps */
  readonly dataKib?: number;
}

describe('the models for tests', () => {
  jest.setTimeout(60_000);
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'onnx-models-'))));
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function startChild(model: Buffer, { xs, width = 1, options = {}, dataKib }: Work) {
    await writeFile(join(folder, 'model.onnx'), model);
    const work = JSON.stringify({ xs, width, options: { ...QUIET, ...options } });
    const limit = dataKib === undefined ? '' : `ulimit -d ${dataKib} && `;
    const args = ['-c', `${limit}exec "$0" "$@"`, process.execPath, '-e', CHILD, require.resolve('onnxruntime-node'), work];
    return spawn('/bin/sh', args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  }

  async function linesOfChild(model: Buffer, work: Work): Promise<unknown[]> {
    const output = await text((await startChild(model, work)).stdout);
    return output.split('\n').flatMap((line): unknown[] => (line ? [JSON.parse(line)] : []));
  }

  it('linear: multiplies and adds, for any number of rows', async () => {
    const weights = [1, 2, 3].map((weight) => [weight, 10 * weight]);
    const model = models.linear(weights, [0.5, -0.5]);
    expect(await signature(model)).toEqual(['x float32 ,3', 'y float32 ,2']);
    expect(await answer(model, { x: floats([2, 3], [1, 1, 1, 0, 0, 2]) })).toEqual({ y: { dims: [2, 2], data: [6.5, 59.5, 6.5, 59.5] } });
    expect(await answer(model, { x: floats([0, 3], []) })).toEqual({ y: { dims: [0, 2], data: [] } });
  });

  it('linear: has no bias where none is given', async () => {
    expect(await answer(models.linear([[2]]), { x: column(3) })).toEqual({ y: { dims: [1, 1], data: [6] } });
  });

  it.each<Tensor>([
    new Tensor('float32', Float32Array.of(1.5, -2), [1, 2]),
    new Tensor('float64', Float64Array.of(0.1, -1e300), [1, 2]),
    new Tensor('int8', Int8Array.of(-128, 127), [1, 2]),
    new Tensor('uint8', Uint8Array.of(0, 255), [1, 2]),
    new Tensor('int16', Int16Array.of(-32768, 32767), [1, 2]),
    new Tensor('uint16', Uint16Array.of(0, 65535), [1, 2]),
    new Tensor('int32', Int32Array.of(-(2 ** 31), 2 ** 31 - 1), [1, 2]),
    new Tensor('uint32', Uint32Array.of(0, 2 ** 32 - 1), [1, 2]),
    new Tensor('int64', BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n), [1, 2]),
    new Tensor('uint64', BigUint64Array.of(0n, 2n ** 64n - 1n), [1, 2]),
    new Tensor('bool', Uint8Array.of(0, 1), [1, 2]),
    new Tensor('string', ['ä', ''], [1, 2]),
  ])('identity: gives back $type', async (x) => {
    const model = models.identity(DTYPE[x.type as keyof typeof DTYPE], ['N', 2]);
    expect(await signature(model)).toEqual([`x ${x.type} N,2`, `y ${x.type} N,2`]);
    expect(await answer(model, { x })).toEqual(plain({ y: x }));
  });

  it('identity: loads with float16, which this binding cannot run on Node 24', async () => {
    expect(await signature(models.identity(DTYPE.float16, [null, 3]))).toEqual(['x float16 ,3', 'y float16 ,3']);
  });

  it.each(['bfloat16', 'complex64', 'complex128'] as const)('identity: is refused by the engine with %s', async (type) => {
    await expect(signature(models.identity(DTYPE[type], [1]))).rejects.toThrow(/not currently registered|Unsupported data type/);
  });

  it('classifierWithLabels: gives a label and three probabilities per row', async () => {
    const model = models.classifierWithLabels();
    expect(await signature(model)).toEqual(['x float32 N,2', 'label int64 N', 'probabilities float32 N,3']);
    const { label, probabilities } = await answer(model, { x: floats([3, 2], [1, 0, 0, 1, -1, -1]) });
    expect(label).toEqual({ dims: [3], data: [0n, 1n, 2n] });
    const [high, low, middle] = [Math.E, 1 / Math.E, 1].map((odds) => expect.closeTo(odds / (Math.E + 1 / Math.E + 1), 5) as unknown);
    expect(probabilities).toEqual({ dims: [3, 3], data: [high, low, middle, middle, high, low, low, middle, high] });
  });

  it.each([
    { keys: 'numbers', labels: [0, 1, 2] },
    { keys: 'names', labels: ['setosa', 'versicolor', 'virginica'] },
  ])('mapOutput: ends in maps keyed by $keys, which the engine cannot return; the label it can', async ({ labels }) => {
    const model = models.mapOutput(labels);
    expect(await signature(model)).toEqual(['x float32 ,2', 'label int64 ', 'output_probability no tensor']);
    const x = floats([1, 2], [0, 1]);
    await expect(answer(model, { x })).rejects.toThrow('Non tensor type');
    expect(await answer(model, { x }, ['label'])).toEqual({ label: { dims: [1], data: [1n] } });
  });

  it('twoInputs: adds and multiplies', async () => {
    const model = models.twoInputs();
    expect(await signature(model)).toEqual(['a float32 N,1', 'b float32 N,1', 'sum float32 N,1', 'product float32 N,1']);
    expect(await answer(model, { a: column(2, 3), b: column(5, -1) })).toEqual({
      sum: { dims: [2, 1], data: [7, 2] },
      product: { dims: [2, 1], data: [10, -3] },
    });
  });

  it.each([
    { name: 'endlessLoop', model: models.endlessLoop() },
    { name: 'slowLoop', model: models.slowLoop(1e12) },
    { name: 'memoryBomb', model: models.memoryBomb(1e6) },
  ])('$name: gives back x at once where no row is above the limit, nor for NaN, nor for no rows', async ({ model }) => {
    expect(await signature(model)).toEqual(['x float32 N,1', 'y float32 N,1']);
    expect(await answer(model, { x: column(...HARMLESS) })).toEqual({ y: { dims: [4, 1], data: HARMLESS } });
    expect(await answer(model, { x: column(NaN) })).toEqual({ y: { dims: [1, 1], data: [NaN] } });
    expect(await answer(model, { x: column() })).toEqual({ y: { dims: [0, 1], data: [] } });
  });

  it('endlessLoop: does not return from an x above the limit, and dies of SIGKILL', async () => {
    const child = await startChild(models.endlessLoop(), { xs: [0.25, 1] });
    const exit = once(child, 'exit');
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    try {
      expect(await lines.next()).toMatchObject({ value: '"loaded"' });
      expect(await lines.next()).toMatchObject({ value: '[0.25]' });
      await sleep(500);
    } finally {
      child.kill('SIGKILL');
    }
    expect(await exit).toEqual([null, 'SIGKILL']);
    expect(await lines.next()).toMatchObject({ done: true });
  });

  it('slowLoop: takes time in proportion to its iterations when one row is above the limit', async () => {
    const fastest = (iterations: number, ...xs: number[]) =>
      withSession(models.slowLoop(iterations), async (session) => {
        const took = async () => {
          const start = performance.now();
          expect(plain(await session.run({ x: column(...xs) }))).toEqual({ y: { dims: [2, 1], data: xs } });
          return performance.now() - start;
        };
        return Math.min(await took(), await took(), await took());
      });
    const [idle, short, long] = [await fastest(300_000, 0, 0.25), await fastest(30_000, 0, 1), await fastest(300_000, 0, 1)];
    expect(long).toBeGreaterThan(4 * short);
    expect(short).toBeGreaterThan(4 * idle);
  });

  it('memoryBomb: asks for its gibibytes when x is above the limit; RLIMIT_DATA makes that a throw, and the process lives on', async () => {
    const lines = await linesOfChild(models.memoryBomb(), { xs: [0.25, 1, 0.25], dataKib: 1_500_000 });
    const refused: unknown = expect.stringContaining('Failed to allocate memory for requested buffer of size 8589934');
    expect(lines).toEqual(['loaded', [0.25], refused, [0.25]]);
  });

  it('memoryBomb: gives back x when there is room', async () => {
    expect(await answer(models.memoryBomb(1 / 64), { x: column(1, 0) })).toEqual({ y: { dims: [2, 1], data: [1, 0] } });
  });

  it('padded: is as large as asked, in the file and in the engine, and answers like a small one', async () => {
    const model = models.padded(10e6);
    expect(await signature(model)).toEqual(['x float32 ,4', 'y float32 ,1']);
    const x = floats([2, 4], [1, 1, 1, 1, 0, 0, NaN, 1]);
    const kept = join(folder, 'kept.onnx'); // what the engine is left with after its optimisations
    const options = { graphOptimizationLevel: 'all', optimizedModelFilePath: kept } as const;
    const result = await withSession(model, async (session) => plain(await session.run({ x })), options);
    expect(result).toEqual({ y: { dims: [2, 1], data: [10, NaN] } });
    for (const size of [model.length, (await stat(kept)).size]) expect(Math.abs(size - 10e6)).toBeLessThan(2000);
    expect(models.padded(10e6).equals(model)).toBe(true);
  });

  it('failing: answers 0, 1 and 2, and throws at 3 while the session lives on', () =>
    withSession(models.failing(), async (session) => {
      expect(plain(await session.run({ x: int64s(0, 1, 2) }))).toEqual({ y: { dims: [3], data: [10, 20, 30] } });
      await expect(session.run({ x: int64s(0, 3) })).rejects.toThrow('out of data bounds');
      expect(plain(await session.run({ x: int64s(2) }))).toEqual({ y: { dims: [1], data: [30] } });
    }));

  it('nanOutput: gives NaN for negative x', async () => {
    expect(await answer(models.nanOutput(), { x: column(4, -1, 0) })).toEqual({ y: { dims: [3, 1], data: [2, NaN, 0] } });
  });

  describe('externalData', () => {
    const unoptimised = { xs: [1], width: 4, options: { graphOptimizationLevel: 'disabled' } } as const;
    const writeSecret = () => writeFile(join(folder, 'secret.bin'), rawFloats([1, 2, 3, 4]));

    it('cannot load without secret.bin', async () => {
      expect(await linesOfChild(models.externalData(), unoptimised)).toEqual([expect.stringMatching(/^refused: .*secret\.bin/)]);
    });

    it('reads secret.bin in the working folder when loaded from bytes without optimisation', async () => {
      await writeSecret();
      expect(await linesOfChild(models.externalData(), unoptimised)).toEqual(['loaded', [10]]);
    });

    it('is refused when loaded from bytes with optimisation, even where secret.bin is', async () => {
      await writeSecret();
      expect(await linesOfChild(models.externalData(), { xs: [1], width: 4 })).toEqual([expect.stringContaining('refused: ')]);
    });

    it('reads secret.bin beside it when loaded from a path', async () => {
      await writeSecret();
      await writeFile(join(folder, 'model.onnx'), models.externalData());
      const session = await InferenceSession.create(join(folder, 'model.onnx'), QUIET);
      expect(plain(await session.run({ x: floats([1, 4], [1, 1, 1, 1]) }))).toEqual({ y: { dims: [1, 1], data: [10] } });
      await session.release();
    });
  });
});

describe(onnxModel.name, () => {
  const constant = (kind: string, value: Attribute, dtype: number, dims: readonly number[]) =>
    onnxModel({
      graph: {
        name: 'constant',
        inputs: [],
        outputs: [{ name: 'y', dtype, dims }],
        nodes: [{ op: 'Constant', inputs: [], outputs: ['y'], attributes: { [kind]: value } }],
      },
    });

  it.each<[string, Attribute, keyof typeof DTYPE, number[], unknown[]]>([
    ['value_float', { float: -1.5 }, 'float32', [], [-1.5]],
    ['value_int', { int: -(2n ** 63n) }, 'int64', [], [-(2n ** 63n)]],
    ['value_string', { string: 'größer' }, 'string', [], ['größer']],
    ['value_floats', { floats: [1, -0.25] }, 'float32', [2], [1, -0.25]],
    ['value_ints', { ints: [127, 128, -1] }, 'int64', [3], [127n, 128n, -1n]],
    ['value_strings', { strings: ['a', ''] }, 'string', [2], ['a', '']],
    ['value', { tensor: { dtype: DTYPE.bool, dims: [2], data: { raw: Uint8Array.of(1, 0) } } }, 'bool', [2], [1, 0]],
    ['value', { tensor: { dtype: DTYPE.string, dims: [1], data: { strings: ['x'] } } }, 'string', [1], ['x']],
  ])('writes an attribute: %s', async (kind, value, type, dims, data) => {
    expect(await answer(constant(kind, value, DTYPE[type], dims), {})).toEqual({ y: { dims, data } });
  });
});
