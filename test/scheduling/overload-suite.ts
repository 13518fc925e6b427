import { setTimeout as sleep } from 'node:timers/promises';
import { slowLoop } from '../onnx/models';
import { until } from '../process/processes';
import { bodyOf, Caller, predictionOf, quantile, type Reply, type Sent } from './caller';
import { LoopLag } from './loop-lag';
import { EngineRuns } from './engine-runs';
import { describeInProcess, TestApp } from '../e2e/test-app';

/** Some 0.2 s of an engine. */
const SLOW = slowLoop(400_000);
const MOST_CALLS = 240;
const MOST_BYTES = 16_384;

const numbers = (count: number, from: number): readonly number[] => Array.from({ length: count }, (_, at) => from + at);
const statusesOf = (replies: readonly Reply[]): readonly number[] => [...new Set(replies.map(({ status }) => status))];

/** What the machine of a run allows to be held to. */
export interface OverloadBounds {
  /** Milliseconds after which half of the calls with a deadline of 50 ms are told, beside what this process itself is late. */
  readonly promptMs: number;
  /** Whether Retry-After is held to the rate that was seen: only where nobody else uses the machine. */
  readonly exactRetryAfter: boolean;
}

/** Too many calls for the engines: deadlines, callers who leave, refusals. */
export function describeOverload({ promptMs, exactRetryAfter }: OverloadBounds): void {
  describeInProcess('more calls than can be answered', () => {
    let app: TestApp;
    let caller: Caller;
    let other: Caller;
    let runs: EngineRuns;
    const env = { MAX_CALLS_PER_MODEL: String(MOST_CALLS), MAX_CALL_BYTES_PER_MODEL: String(MOST_BYTES), CACHE_TTL_SECONDS: '0' };

    beforeAll(async () => {
      app = await TestApp.start({ env });
      caller = new Caller(app.origin);
      other = new Caller(app.origin, {}, '127.0.0.2');
      await app.serve('slow', SLOW, { batching: 'off' });
      await app.serve('batched', SLOW);
      await app.serve('strict', slowLoop(400_001), { deadlineMs: 100 });
      // connections are open, and an engine has the model
      await Promise.all(numbers(200, 0).map(() => other.predict('batched', [0])));
    });
    beforeEach(() => void (runs = new EngineRuns()));
    afterEach(() => jest.restoreAllMocks());
    afterAll(async () => {
      caller.hangUp();
      other.hangUp();
      await app.close();
    });

    /** Keeps every engine busy with a model, from now on until it is told to end. */
    async function busy(model: string): Promise<() => Promise<void>> {
      let going = true;
      const before = runs.of().length;
      const one = async (): Promise<void> => {
        while (going) await caller.predict(model, [1]);
      };
      const loops = Promise.all(Array.from({ length: 8 }, one));
      await until('engines are busy', () => runs.of().length >= before + 2);
      return async () => {
        going = false;
        await loops;
      };
    }

    const burst = (model: string, nonces: readonly number[]): Promise<readonly Reply[]> =>
      Promise.all(nonces.map((nonce) => other.predict(model, [nonce], { 'X-Request-Deadline-Ms': '50' })));

    describe('are told when their time is over', () => {
      it.each(['slow', 'batched'])('as soon as it is, while every engine is busy (%s)', async (model) => {
        const rest = await busy(model);
        const lag = new LoopLag();
        const replies: Reply[] = [];
        for (const round of numbers(10, 0)) replies.push(...(await burst(model, numbers(5, 5 * round))));
        await rest();
        expect(statusesOf(replies)).toEqual([504]);
        expect(bodyOf(replies[0] as Reply)).toMatchObject({ code: 'CALL_DEADLINE_EXCEEDED' });
        const times = replies.map(({ ms }) => ms);
        expect(Math.min(...times)).toBeGreaterThan(49);
        expect(quantile(times, 0.5)).toBeLessThan(promptMs + lag.worstMs);
      });

      it.each(['slow', 'batched'])('and never reach an engine then (%s)', async (model) => {
        const rest = await busy(model);
        const nonces = numbers(200, 1000);
        const replies = await burst(model, nonces);
        await rest();
        expect((await caller.predict(model, [0])).status).toBe(200); // whatever was queued before has been run
        expect(statusesOf(replies)).toEqual([504]);
        expect(runs.of(nonces).length).toBeLessThanOrEqual(10);
      });

      it('where the protocol has a word of its own for it, in microseconds', async () => {
        const rest = await busy('slow');
        const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 1], data: [1] }];
        const lag = new LoopLag();
        const replies = await Promise.all(
          numbers(20, 0).map(() => other.ask('/v2/models/slow/infer', { inputs, parameters: { timeout: 50_000 } })),
        );
        const late = lag.worstMs;
        await rest();
        expect(statusesOf(replies)).toEqual([504]);
        expect(quantile(replies.map(({ ms }) => ms), 0.5)).toBeLessThan(promptMs + 2 * late); // prettier-ignore
        const patient = await other.ask('/v2/models/slow/infer', { inputs, parameters: { timeout: 5_000_000 } });
        expect(patient.status).toBe(200);
      });

      it('by the shorter of two deadlines', async () => {
        const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 1], data: [1] }];
        const body = (timeout: number): object => ({ inputs, parameters: { timeout } });
        const replies = await Promise.all([
          other.ask('/v2/models/slow/infer', body(50_000), { 'X-Request-Deadline-Ms': '5000' }),
          other.ask('/v2/models/slow/infer', body(5_000_000), { 'X-Request-Deadline-Ms': '50' }),
        ]);
        expect(replies.map(({ status }) => status)).toEqual([504, 504]);
      });

      it.each(['0', '-1', '1.5', '1e3', 'soon', '', '5 ms', '99999999999'])('unless it is no time: %j', async (text) => {
        const reply = await other.predict('slow', [0], { 'X-Request-Deadline-Ms': text });
        expect(reply.status).toBe(400);
        expect(bodyOf(reply)).toMatchObject({ code: 'MALFORMED_BODY', field: 'X-Request-Deadline-Ms', actual: JSON.stringify(text) });
      });

      it('by the model where one run takes longer than its metadata allows', async () => {
        const reply = await other.predict('strict', [1]);
        expect(reply.status).toBe(504);
        expect(bodyOf(reply)).toMatchObject({ code: 'ENGINE_DEADLINE_EXCEEDED' });
        expect(predictionOf(await other.predict('strict', [0]))).toBe(0);
      });
    });

    it('cost nothing once their callers have gone, and leave their room at once', async () => {
      const rest = await busy('slow');
      const nonces = numbers(200, 2000);
      const sent = nonces.map((nonce) => other.send('/api/v1/predict/slow', { instances: [[nonce]] }));
      const outcomes = Promise.allSettled(sent.map(({ reply }) => reply));
      const fills = numbers(MOST_CALLS - 208, 3000).map((nonce) => other.send('/api/v1/predict/slow', { instances: [[nonce]] }));
      const filled = Promise.allSettled(fills.map(({ reply }) => reply));
      await until('no more go in', async () => (await other.predict('slow', [0])).status === 429);
      const before = runs.of(nonces).length;
      for (const { leave } of sent) leave();
      await sleep(20); // until the server has heard of it
      const started = runs.of(nonces).length;
      const late = numbers(20, 4000).map((nonce) => other.send('/api/v1/predict/slow', { instances: [[nonce]] }));
      const lateOnes = Promise.allSettled(late.map(({ reply }) => reply));
      await sleep(50);
      for (const { leave } of [...late, ...fills]) leave();
      await rest();
      await Promise.all([outcomes, filled]);
      expect((await lateOnes).map((one) => one.status === 'fulfilled' && one.value.status)).not.toContain(429);
      expect((await other.predict('slow', [0])).status).toBe(200);
      expect(started - before).toBeLessThanOrEqual(2);
      expect(runs.of(nonces)).toHaveLength(started);
      expect(started).toBeLessThan(20);
    });

    describe('are refused', () => {
      /** Keeps a model's queue full until an engine has run so many of them. @returns the last refusal, and how many calls went to an engine in a second */
      async function refusalOf(model: string, rows: number, most: number) {
        const instances = Array.from({ length: rows }, () => [1]);
        const since = performance.now();
        const begun = runs.of().length;
        const sent: Sent[] = [];
        let refused: Reply | undefined;
        const send = (): void => {
          const one = caller.send(`/api/v1/predict/${model}`, { instances });
          sent.push(one);
          one.reply.then((reply) => void (refused = reply.status === 429 ? reply : refused)).catch(() => {}); // it left
        };
        for (let count = MOST_CALLS; refused === undefined || runs.of().length < begun + most; count = 40) {
          for (const _ of numbers(count, 0)) send();
          await sleep(100);
        }
        const perSecond = ((runs.of().length - begun) * 1000) / (performance.now() - since);
        for (const { leave } of sent) leave();
        await until('there is room again', async () => (await other.predict(model, [0])).status === 200);
        return { refused, perSecond, retryAfter: Number(refused.headers['retry-after']) };
      }

      it('by their bytes', async () => {
        const { refused, retryAfter } = await refusalOf('slow', 512, 0);
        expect(bodyOf(refused)).toMatchObject({ code: 'TOO_MANY_CALLS', expected: `at most ${MOST_BYTES} bytes of inputs at a time` });
        expect(retryAfter).toBeGreaterThanOrEqual(1);
      });

      it('by their number, and told to come when they may be answered, as fast as it goes now', async () => {
        await app.serve('slower', slowLoop(600_000), { batching: 'off' });
        await app.serve('quicker', slowLoop(60_000), { batching: 'off' });
        const slower = await refusalOf('slower', 1, 10);
        const quicker = await refusalOf('quicker', 1, 60);
        expect(bodyOf(slower.refused)).toMatchObject({ code: 'TOO_MANY_CALLS', expected: `at most ${MOST_CALLS} calls at a time` });
        expect(slower.retryAfter).toBeGreaterThan(quicker.retryAfter);
        for (const { perSecond, retryAfter } of [slower, quicker]) {
          expect(retryAfter).toBeGreaterThanOrEqual(1);
          expect(retryAfter).toBeLessThanOrEqual(exactRetryAfter ? Math.min(60, Math.ceil((3 * MOST_CALLS) / perSecond)) : 60);
          if (exactRetryAfter) expect(retryAfter).toBeGreaterThan(MOST_CALLS / 4 / perSecond);
        }
      });
    });
  });
}
