import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { asBinary, bytesOf, type ClientRequest, outputsOf, type Value } from '../open-inference/client';
import { endlessLoop, failing, linear, slowLoop } from '../onnx/models';
import { hostsOf, until } from '../process/processes';
import { realModels } from '../real-models/oracle';
import { elementsOf, type Tensor } from '../../src/runtime/tensor';
import { bodyOf, Caller, predictionOf, type Reply } from '../scheduling/caller';
import { linearTwin } from '../tfjs/twins';
import { describeBothWays, itInProcess, type LogLine, logLines, TestApp } from './test-app';

const EXAMPLES = join(__dirname, '..', '..', 'examples');
const IRIS = readFileSync(join(EXAMPLES, 'iris', 'model.onnx'));
const MARKET = Object.fromEntries(['model.json', 'group1-shard1of1.bin'].map((file) => [file, readFileSync(join(EXAMPLES, 'market-tfjs', file))])); // prettier-ignore
const REAL = realModels().filter(({ inputs: [x, ...more] }) => x?.datatype === 'FP32' && more.length === 0);
const TOGETHER = 32;
/** y = 2x + 1, for each engine. */
const LINES = ['line', 'line-tfjs'];

interface Statistics {
  readonly inference_count: number;
  readonly execution_count: number;
  readonly batch_stats: readonly { readonly batch_size: number; readonly compute_infer: { readonly count: number } }[];
}

const numbers = (count: number, from = 0): readonly number[] => Array.from({ length: count }, (_, at) => from + at);
const asRows = (values: readonly number[]): readonly (readonly number[])[] => values.map((value) => [value]);
const idOf = (what: string, at: number): string => `${what}-${String(at).padStart(4, '0')}`;
const linesOf = (id: string): readonly LogLine[] => logLines.filter(({ msg, correlationId }) => msg === 'request' && correlationId === id);
const failures = (since: number): readonly LogLine[] => logLines.slice(since).filter(({ msg }) => msg === 'engine run failed');

describeBothWays('calls that come together', (way) => {
  let app: TestApp;
  let caller: Caller;
  beforeAll(async () => {
    app = await TestApp.start({ env: { ...way, CACHE_TTL_SECONDS: '0' } });
    caller = new Caller(app.origin);
    await app.serve('line', linear([[2]], [1]));
    await app.serve('line-tfjs', linearTwin([[2]], [1]));
    await app.serve('one-by-one', linear([[2]], [2]), { batching: 'off' });
    for (const model of LINES) await together(model, asRows(numbers(64))); // what opens the connections does not come together
  });
  afterAll(async () => {
    caller.hangUp();
    await app.close();
  });

  const together = (model: string, rows: readonly unknown[]): Promise<readonly Reply[]> =>
    Promise.all(rows.map((row) => caller.predict(model, row)));
  const view = async (model: string) => bodyOf(await caller.ask(`/api/v1/models/${model}/versions/1`));

  async function statisticsOf(model: string): Promise<Statistics> {
    const { model_stats } = bodyOf(await caller.ask(`/v2/models/${model}/stats`)) as { readonly model_stats: readonly [Statistics] };
    return model_stats[0];
  }

  it.each(LINES)('become batches, and each gets its own answer: %s', async (model) => {
    expect(await view(model)).toMatchObject({ batchRows: expect.any(Number), batchInvariant: true });
    const before = await statisticsOf(model);
    for (const round of numbers(8)) {
      const nonces = numbers(64, 1000 * round);
      expect((await together(model, asRows(nonces))).map(predictionOf)).toEqual(nonces.map((nonce) => 2 * nonce + 1));
    }
    const { inference_count, execution_count, batch_stats } = await statisticsOf(model);
    expect(inference_count - before.inference_count).toBe(8 * 64);
    expect(execution_count - before.execution_count).toBeLessThan((8 * 64) / 4);
    expect(batch_stats.reduce((sum, { batch_size, compute_infer }) => sum + batch_size * compute_infer.count, 0)).toBe(inference_count);
    expect(batch_stats.reduce((sum, { compute_infer }) => sum + compute_infer.count, 0)).toBe(execution_count);
    const { batchRows } = await view(model);
    expect(Math.max(...batch_stats.map(({ batch_size }) => batch_size))).toBeLessThanOrEqual(batchRows);
  });

  it('are run one by one where the metadata says batching: off', async () => {
    expect(await view('one-by-one')).toMatchObject({ batchRows: 1, batchInvariant: true });
    const nonces = numbers(64);
    expect((await together('one-by-one', asRows(nonces))).map(predictionOf)).toEqual(nonces.map((nonce) => 2 * nonce + 2));
    const { inference_count, execution_count, batch_stats } = await statisticsOf('one-by-one');
    expect([inference_count, execution_count]).toEqual([64, 64]);
    expect(batch_stats.map(({ batch_size }) => batch_size)).toEqual([1]);
  });

  it.each(LINES)('get the rows that they sent, however many each of them has: %s', async (model) => {
    const sizes = numbers(40).map((at) => 1 + (at % 4));
    const rowsOf = (at: number): readonly number[] => numbers(sizes[at] as number, 100 * at);
    const send = (at: number): Promise<Reply> => caller.ask(`/api/v1/predict/${model}`, { instances: rowsOf(at).map((row) => [row]) });
    const replies = await Promise.all(sizes.map((_, at) => send(at)));
    const given = replies.map((reply) => bodyOf(reply).predictions.map(({ prediction }: { prediction: number }) => prediction));
    expect(given).toEqual(sizes.map((_, at) => rowsOf(at).map((row) => 2 * row + 1)));
  });

  describe('get what they get alone, bit for bit', () => {
    /** A row of the trainer's own, as its bytes. */
    function requestOf({ name, datatype, shape, data }: Tensor, row: number): ClientRequest {
      const [, ...inner] = shape;
      const size = elementsOf(inner);
      const values = Array.from(data.slice(row * size, (row + 1) * size) as ArrayLike<Value>);
      return asBinary(name, { datatype, shape: [1, ...inner], bytes: bytesOf(datatype, values) });
    }

    async function bitsOf(model: string, { body, headers }: ClientRequest): Promise<unknown> {
      const reply = await caller.ask(`/v2/models/${model}/infer`, body, headers);
      if (reply.status !== 200) throw new Error(reply.bytes.toString());
      return [...outputsOf(reply.bytes, reply.headers)].map(([name, { shape, bytes }]) => [name, shape, bytes.toString('hex')]);
    }

    async function expectSameBits(model: string, requests: readonly ClientRequest[]): Promise<void> {
      const alone: unknown[] = [];
      for (const request of requests) alone.push(await bitsOf(model, request));
      const before = await statisticsOf(model);
      for (const turn of numbers(4)) {
        const order = requests.map((_, at) => (at * 7 + turn * 5) % requests.length);
        const batched = await Promise.all(order.map((at) => bitsOf(model, requests[at] as ClientRequest)));
        expect(batched).toEqual(order.map((at) => alone[at]));
      }
      const after = await statisticsOf(model);
      const { batchRows } = await view(model);
      const runs = after.execution_count - before.execution_count;
      if (batchRows > 1) expect(runs).toBeLessThan(after.inference_count - before.inference_count);
      else expect(runs).toBe(after.inference_count - before.inference_count);
    }

    it('with models of real trainers that the import found invariant', async () => {
      const invariant: string[] = [];
      for (const { name, bytes, inputs } of REAL.filter((model) => /forest|gaussian|gradient|mlp|lstm/.test(model.name))) {
        const { body } = await app.serve(name, bytes);
        if (!body.batchInvariant) continue;
        invariant.push(name);
        const x = inputs[0] as Tensor;
        await expectSameBits(
          name,
          numbers(Math.min(TOGETHER, x.shape[0] as number)).map((row) => requestOf(x, row)),
        );
      }
      expect(invariant.length).toBeGreaterThan(3);
    });

    it('with a network in TensorFlow.js', async () => {
      const { body } = await app.serve('market-tfjs', MARKET, { batching: 'exact' });
      const x: Tensor = { name: 'features', datatype: 'FP32', shape: [TOGETHER, 11], data: Float32Array.from(numbers(TOGETHER * 11), (at) => Math.sin(at)) }; // prettier-ignore
      await expectSameBits(
        'market-tfjs',
        numbers(TOGETHER).map((row) => requestOf(x, row)),
      );
      expect(body).toMatchObject({ engine: 'tfjs', batchInvariant: expect.any(Boolean) });
    });

    it('with the example, which says whether it is invariant and may be asked for nothing else', async () => {
      const { body } = await app.serve('iris', IRIS);
      expect(body).toMatchObject({ batchInvariant: expect.any(Boolean), batchRows: expect.any(Number) });
      const { body: exact } = await app.serve('iris-exact', IRIS, { batching: 'exact' });
      expect(exact.batchRows).toBe(exact.batchInvariant ? body.batchRows : 1);
      const data = Float32Array.from(numbers(TOGETHER * 4), (at) => (at % 4) + at / 7);
      const { inputs } = body.signature as { readonly inputs: readonly [{ readonly name: string }] };
      const x: Tensor = { name: inputs[0].name, datatype: 'FP32', shape: [TOGETHER, 4], data };
      await expectSameBits(
        'iris-exact',
        numbers(TOGETHER).map((row) => requestOf(x, row)),
      );
    });
  });

  describe('keep their ids', () => {
    /** Calls of one turn of the event loop. @param rowOf what each sends */
    function identified(what: string, model: string, rowOf: (at: number) => unknown): Promise<readonly Reply[]> {
      const calls = numbers(TOGETHER).map((at) => caller.predict(model, rowOf(at), { 'X-Correlation-Id': idOf(what, at) }));
      return Promise.all(calls);
    }

    beforeAll(() => app.serve('failing', failing()));

    it.each([
      ['a call that is no question to the model', 'line', (at: number) => (at % 2 ? ['text'] : [at]), 422],
      ['a call at which the engine fails', 'failing', (at: number) => (at % 2 ? 3 + at : at % 3), 422],
    ])('in header, error body and log line, where every second one is %s', async (_, model, rowOf, bad) => {
      const what = `id-${model}`;
      const replies = await identified(what, model, rowOf);
      expect(replies.map(({ status }) => status)).toEqual(replies.map((__, at) => (at % 2 ? bad : 200)));
      expect(replies.map(({ headers }) => headers['x-correlation-id'])).toEqual(replies.map((__, at) => idOf(what, at)));
      const errors = replies.filter(({ status }) => status !== 200).map((reply) => bodyOf(reply).correlationId);
      expect(errors).toEqual(numbers(TOGETHER / 2).map((at) => idOf(what, 2 * at + 1)));
    });

    itInProcess('in the log: one line each, with the answer that it got', async () => {
      const what = `logged-${way.HTTP_DIRECT}`;
      const replies = await identified(what, 'failing', (at) => (at % 2 ? 3 + at : at % 3));
      await sleep(20); // a line is written when the socket has taken the answer
      const lines = replies.map((_, at) => linesOf(idOf(what, at)));
      expect(lines.map(({ length }) => length)).toEqual(replies.map(() => 1));
      expect(lines.map(([line]) => line?.['status'])).toEqual(replies.map(({ status }) => status));
      expect(lines.map(([line]) => line?.['code'])).toEqual(replies.map((reply) => bodyOf(reply).code));
    });
  });

  describe('do not fail for one another', () => {
    it('where the model throws at one of them', async () => {
      await app.serve('table', failing(), { maxDelayMicros: 50_000 });
      const rows = numbers(24).map((at) => (at === 5 ? 99 : at % 3));
      const replies = await together('table', rows);
      expect(replies.map(({ status }) => status)).toEqual(rows.map((row) => (row === 99 ? 422 : 200)));
      expect(replies.map(predictionOf)).toEqual(rows.map((row) => (row === 99 ? undefined : 10 * row + 10)));
    });

    itInProcess('where one of them never ends, and the log names whom it was run with', async () => {
      await app.serve('endless', endlessLoop(), { deadlineMs: 300, maxDelayMicros: 100_000 });
      const since = logLines.length;
      const rows = numbers(8).map((at) => (at === 3 ? 7 : -at - 1));
      const replies = await Promise.all(
        rows.map((row, at) => caller.predict('endless', [row], { 'X-Correlation-Id': idOf('endless', at) })),
      );
      expect(replies.map(({ status }) => status)).toEqual(rows.map((row) => (row === 7 ? 504 : 200)));
      expect(replies.map(predictionOf)).toEqual(rows.map((row) => (row === 7 ? undefined : row)));
      const [whole, alone] = failures(since);
      expect(whole).toMatchObject({ ids: rows.map((_, at) => idOf('endless', at)) });
      expect(whole).not.toHaveProperty('correlationId');
      expect(alone).toMatchObject({ ids: [idOf('endless', 3)] });
    });

    it('and count once against the model: it is served on after two batches with one each that never ends', async () => {
      await app.serve('poisoned', slowLoop(1_000_000_000), { deadlineMs: 1000, maxDelayMicros: 100_000 });
      for (const from of [10, 20]) {
        const rows = numbers(8).map((at) => (at === 3 ? from : -from - at));
        const replies = await together('poisoned', asRows(rows));
        expect(replies.map(({ status }) => status)).toEqual(rows.map((row) => (row > 0 ? 504 : 200)));
      }
      expect((await caller.predict('poisoned', [-1])).status).toBe(200);
    });

    itInProcess('where the engine process ends under all of them, and the log names every one', async () => {
      await app.serve('killed', slowLoop(1_000_000), { maxDelayMicros: 100_000 });
      const since = logLines.length;
      const calls = Promise.all(numbers(8).map((at) => caller.predict('killed', [1 + at], { 'X-Correlation-Id': idOf('killed', at) })));
      await sleep(250);
      for (const pid of hostsOf(process.pid)) process.kill(pid, 'SIGKILL');
      await until('the log tells of it', () => failures(since).length > 0);
      expect((await calls).map(({ status }) => status)).toEqual(numbers(8).map(() => 200));
      expect((await calls).map(predictionOf)).toEqual(numbers(8, 1));
      expect(failures(since)[0]).toMatchObject({ again: true, ids: numbers(8).map((at) => idOf('killed', at)) });
      expect(failures(since)[0]).not.toHaveProperty('correlationId');
    });
  });
});
