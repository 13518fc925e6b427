import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { callOf, DoublingModel, servedBy } from '../../test/inference/doubling';
import { PredictionHouse } from '../../test/inference/prediction-house';
import type { CacheConfig, InferenceConfig } from '../config/app-config';
import type { ModelMetadata } from '../models/upload/model-metadata';
import type { ServedVersion } from '../models/serving/served-version';
import { InferenceFailed } from '../runtime/runtime.errors';
import type { Tensor } from '../runtime/tensor';
import type { CachedResult, InferenceCall, InferenceResult } from './inference-call';
import { PredictionCacheInterceptor } from './prediction-cache.interceptor';

const opened: PredictionHouse[] = [];
afterEach(async () => {
  jest.restoreAllMocks();
  for (const house of opened.splice(0)) await house.close();
});

/** The cache before an engine that doubles. */
async function setUp(settings: Partial<CacheConfig & InferenceConfig> = {}) {
  const house = await PredictionHouse.open(settings);
  opened.push(house);
  const { cache, counts, compute } = house;
  const engine = new DoublingModel();
  const version = (metadata: ModelMetadata = {}, repeatable = true) => servedBy(engine, 1, metadata, true, repeatable);
  const ask = (target: ServedVersion, rows: readonly number[], more: Partial<InferenceCall> = {}) => house.ask(callOf(target, rows, more));
  return { engine, compute, version, cache, counts, ask };
}

const stateOf = ({ cache }: CachedResult): string => cache.state;
const rowsOf = ({ outputs: [y] }: CachedResult): readonly number[] => Array.from((y as Tensor).data as Float32Array);
/** Somebody who may hang up. */
function guest(): { readonly onGone: (listener: () => void) => void; readonly leave: () => void } {
  const listeners: (() => void)[] = [];
  return { onGone: (listener) => void listeners.push(listener), leave: () => listeners.forEach((hear) => hear()) };
}
const turn = (): Promise<void> => new Promise(setImmediate);
const codes = async (answers: readonly Promise<CachedResult>[]): Promise<readonly string[]> =>
  (await Promise.allSettled(answers)).map((one) => (one.status === 'fulfilled' ? stateOf(one.value) : String(one.reason.code)));

describe(PredictionCacheInterceptor, () => {
  it('answers a call again without an engine, with what it was answered before', async () => {
    const { ask, version, engine, compute } = await setUp();
    const target = version();
    const first = await ask(target, [1, 2]);
    expect([stateOf(first), rowsOf(first), first.leads]).toEqual(['MISS', [2, 4], true]);
    const second = await ask(target, [1, 2]);
    expect(second).toMatchObject({ queueMs: 0, inferMs: 0, rows: 0, leads: false, cache: { state: 'HIT', ageSeconds: 0 } });
    expect(second.outputs).toEqual(first.outputs);
    expect([engine.runs, compute.mock.calls.length]).toEqual([[[1, 2]], 1]);
    expect(stateOf(await ask(target, [2, 1]))).toBe('MISS');
    expect(stateOf(await ask(target, [1, 2], { outputs: ['y', 'z'] }))).toBe('MISS');
  });

  it('says how old an answer is, and does not give it when its time is over', async () => {
    const { ask, version } = await setUp({ ttlSeconds: 10 });
    const target = version();
    await ask(target, [1]);
    const now = performance.now.bind(performance);
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now() + 3500);
    expect((await ask(target, [1])).cache).toMatchObject({ state: 'HIT', ageSeconds: 3 });
    clock.mockImplementation(() => now() + 10_001);
    expect(stateOf(await ask(target, [1]))).toBe('MISS');
  });

  it('keeps answers as long as the version says', async () => {
    const { ask, version } = await setUp({ ttlSeconds: 10 });
    const target = version({ cache: { ttlSeconds: 100 } });
    await ask(target, [1]);
    const now = performance.now.bind(performance);
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now() + 89_000);
    expect(stateOf(await ask(target, [1]))).toBe('HIT');
    clock.mockImplementation(() => now() + 100_001);
    expect(stateOf(await ask(target, [1]))).toBe('MISS');
  });

  it.each<[string, ModelMetadata, boolean, Partial<CacheConfig>]>([
    ['where the metadata say so', { cache: { enabled: false, ttlSeconds: 60 } }, true, {}],
    ['where two runs on the same input differed, or nobody looked', {}, false, {}],
    ['where the settings say so, whatever the metadata say', { cache: { enabled: true, ttlSeconds: 60 } }, true, { ttlSeconds: 0 }],
  ])('has nothing to do with a version %s', async (_, metadata, repeatable, settings) => {
    const { ask, version, engine, cache } = await setUp(settings);
    const target = version(metadata, repeatable);
    for (let time = 0; time < 2; time++) expect(stateOf(await ask(target, [1]))).toBe('BYPASS');
    expect(engine.runs).toEqual([[1], [1]]);
    expect(cache.figures().memory).toMatchObject({ entries: 0, hits: 0, misses: 0 });
  });

  it('reads and writes nothing for a caller who says no-store, and writes only for one who says no-cache', async () => {
    const { ask, version, engine } = await setUp();
    const target = version();
    expect(stateOf(await ask(target, [1], { caching: 'no-store' }))).toBe('BYPASS');
    expect(stateOf(await ask(target, [1]))).toBe('MISS');
    expect(stateOf(await ask(target, [1], { caching: 'no-store' }))).toBe('BYPASS');
    expect(stateOf(await ask(target, [1], { caching: 'no-cache' }))).toBe('MISS');
    expect(engine.runs).toHaveLength(4);
    expect(stateOf(await ask(target, [1]))).toBe('HIT');
    expect(stateOf(await ask(target, [2], { caching: 'no-cache' }))).toBe('MISS');
    expect(stateOf(await ask(target, [2]))).toBe('HIT');
  });

  it('refuses what does not fit before it looks, and asks nobody about it', async () => {
    const { ask, version, compute, cache } = await setUp();
    const target = version();
    await expect(ask(target, [1], { outputs: ['q'] })).rejects.toMatchObject({ code: 'OUTPUT_UNKNOWN' });
    await expect(ask(target, [1], { inputs: [] })).rejects.toMatchObject({ code: 'INPUTS_MISMATCH' });
    expect(compute).not.toHaveBeenCalled();
    expect(cache.figures().memory.misses).toBe(0);
  });

  it('has one answer for two versions that are the same executable, and never one for two that are not', async () => {
    const { ask, version, engine } = await setUp();
    const [one, other, stranger] = [version(), version(), version()];
    (other.record as { model: string }).model = 'another';
    (stranger.record as { executable: string }).executable = 'e'.repeat(64);
    expect(stateOf(await ask(one, [1]))).toBe('MISS');
    expect(stateOf(await ask(other, [1]))).toBe('HIT');
    expect(stateOf(await ask(stranger, [1]))).toBe('MISS');
    expect(engine.runs).toHaveLength(2);
  });

  describe('keeps no answer', () => {
    it('that is an error', async () => {
      const { ask, version, engine } = await setUp();
      const target = version();
      engine.fault = () => new InferenceFailed('index out of bounds');
      await expect(ask(target, [1])).rejects.toMatchObject({ code: 'INFERENCE_FAILED' });
      engine.fault = () => undefined;
      expect(stateOf(await ask(target, [1]))).toBe('MISS');
    });

    it('that is not whole', async () => {
      const { ask, version, compute } = await setUp();
      const target = version();
      const { getMockImplementation } = compute;
      const whole = getMockImplementation.call(compute) as (call: InferenceCall) => Promise<InferenceResult>;
      compute.mockImplementationOnce(async (call) => ({ ...(await whole(call)), outputs: [] }));
      for (const state of ['MISS', 'MISS', 'HIT']) expect(stateOf(await ask(target, [1]))).toBe(state);
    });

    it('with NaN or infinity in it where the metadata refuse that', async () => {
      const { ask, version, engine } = await setUp();
      const strict = version({ nonFinite: 'reject' });
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 3e38]) {
        for (let time = 0; time < 2; time++) expect(stateOf(await ask(strict, [1, value]))).toBe('MISS');
      }
      expect(engine.runs).toHaveLength(6);
      expect(stateOf(await ask(strict, [1]))).toBe('MISS');
      expect(stateOf(await ask(strict, [1]))).toBe('HIT');
      await ask(version(), [Number.NaN]);
      expect(stateOf(await ask(version(), [Number.NaN]))).toBe('HIT');
    });

    it('that is a part of something larger', async () => {
      const { ask, version, compute, cache } = await setUp();
      const batch = new Float32Array(1000).fill(7);
      const y: Tensor = { name: 'y', datatype: 'FP32', shape: [1, 1], data: batch.subarray(10, 11) };
      compute.mockResolvedValueOnce({ outputs: [y], queueMs: 0, inferMs: 0, rows: 1, batchRows: 1, leads: true });
      await ask(version(), [1]);
      batch.fill(8);
      const hit = await ask(version(), [1]);
      expect(rowsOf(hit)).toEqual([7]);
      expect((hit.outputs[0]?.data as Float32Array | undefined)?.buffer.byteLength).toBe(4);
      expect(cache.figures().memory.bytes).toBeLessThan(2000);
    });
  });

  describe('tells hits', () => {
    it('at the end of the turn of the event loop in which they came, together', async () => {
      const { ask, version } = await setUp();
      const target = version();
      for (const row of [1, 2, 3]) await ask(target, [row]);
      const told: number[] = [];
      const answers = [1, 2, 3].map(async (row) => void told.push(...rowsOf(await ask(target, [row]))));
      for (let microtask = 0; microtask < 20; microtask++) await Promise.resolve();
      expect(told).toEqual([]);
      await turn();
      expect(told).toEqual([2, 4, 6]);
      await Promise.all(answers);
    });

    it('each in the context of its own request', async () => {
      const { ask, version } = await setUp();
      const target = version();
      await ask(target, [1]);
      const context = new AsyncLocalStorage<string>();
      const seen = ['a', 'b'].map((id) => context.run(id, async () => (await ask(target, [1]), context.getStore())));
      expect(await Promise.all(seen)).toEqual(['a', 'b']);
    });

    it('while there is no room for one more call, and without taking any', async () => {
      const { ask, version, engine } = await setUp({ maxCallsPerModel: 1 });
      const target = version();
      await ask(target, [1]);
      engine.busy = true;
      const waiting = ask(target, [2]);
      await turn();
      await expect(ask(target, [3])).rejects.toMatchObject({ code: 'TOO_MANY_CALLS' });
      expect(await codes(Array.from({ length: 10 }, () => ask(target, [1])))).toEqual(Array.from({ length: 10 }, () => 'HIT'));
      await engine.free();
      expect(stateOf(await waiting)).toBe('MISS');
    });

    it('so that their version stays in memory', async () => {
      const { ask, version } = await setUp();
      const target = version();
      await ask(target, [1]);
      const before = performance.now();
      await ask(target, [1]);
      expect(target.usedAt).toBeGreaterThanOrEqual(before);
    });
  });

  describe('of equal calls at the same time', () => {
    it('runs one for a thousand', async () => {
      const { ask, version, engine, counts } = await setUp();
      const target = version();
      const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(target, [21])));
      expect(engine.runs).toEqual([[21]]);
      expect(answers.every((answer) => rowsOf(answer)[0] === 42)).toBe(true);
      expect(answers.filter((answer) => answer.leads)).toHaveLength(1);
      expect(counts.of('doubling')).toEqual({ hit: 0, miss: 1, coalesced: 999, bypassed: 0 });
    });

    it('lets another one be run where the caller of the first has gone', async () => {
      const { ask, version, engine } = await setUp();
      engine.busy = true;
      const target = version();
      const [first, second] = [guest(), guest()];
      const answers = [ask(target, [1], { onGone: first.onGone }), ask(target, [1], { onGone: second.onGone }), ask(target, [1])];
      const told = codes(answers);
      await turn();
      first.leave();
      await turn();
      second.leave();
      await turn();
      await engine.free();
      expect(await told).toEqual(['CALLER_GONE', 'CALLER_GONE', 'MISS']);
      expect(engine.runs).toEqual([[1]]);
    });

    it('tells each when its own time is over, and nobody else', async () => {
      const { ask, version, engine } = await setUp();
      engine.busy = true;
      const target = version();
      const within = (ms: number) => ask(target, [1], { expiresAt: performance.now() + ms });
      const answers = [within(60_000), within(20), within(60_000)];
      expect(await codes(answers.slice(1, 2))).toEqual(['CALL_DEADLINE_EXCEEDED']);
      await engine.free();
      expect(await codes(answers)).toEqual(['MISS', 'CALL_DEADLINE_EXCEEDED', 'COALESCED']);
    });

    it('lets another one be run where the time of the first is over', async () => {
      const { ask, version, engine } = await setUp();
      engine.busy = true;
      const target = version();
      const answers = [ask(target, [1], { expiresAt: performance.now() + 20 }), ask(target, [1]), ask(target, [1])];
      expect(await codes(answers.slice(0, 1))).toEqual(['CALL_DEADLINE_EXCEEDED']);
      await turn();
      await engine.free();
      expect(await codes(answers)).toEqual(['CALL_DEADLINE_EXCEEDED', 'MISS', 'COALESCED']);
      expect(engine.runs).toEqual([[1]]);
    });

    it('tells all after the second failure: a thousand bad calls are two runs', async () => {
      const { ask, version, engine } = await setUp();
      engine.fault = () => new InferenceFailed('index out of bounds');
      const target = version();
      const told = await codes(Array.from({ length: 1000 }, () => ask(target, [1])));
      expect(new Set(told)).toEqual(new Set(['INFERENCE_FAILED']));
      expect(engine.runs.length).toBeLessThanOrEqual(2);
    });

    it('runs each that is large: nobody waits with more than the queue would have room for', async () => {
      const { ask, version, engine } = await setUp();
      const rows = Array.from({ length: 2 ** 18 + 1 }, () => 1);
      const target = version();
      expect(await codes([ask(target, rows), ask(target, rows)])).toEqual(['MISS', 'MISS']);
      expect(engine.runs).toHaveLength(2);
      expect(await codes([ask(target, rows)])).toEqual(['HIT']);
    });

    it('does not let one who wants it computed anew wait for another', async () => {
      const { ask, version, engine } = await setUp();
      const target = version();
      expect(await codes([ask(target, [1]), ask(target, [1], { caching: 'no-cache' })])).toEqual(['MISS', 'MISS']);
      expect(engine.runs).toHaveLength(2);
    });
  });

  describe('where there is a second tier', () => {
    async function withSecondTier() {
      const house = await setUp();
      const found = Promise.withResolvers<unknown>();
      jest.spyOn(house.cache, 'hasSecondTier', 'get').mockReturnValue(true);
      jest.spyOn(house.cache as never, 'write').mockResolvedValue(undefined as never);
      const get = jest.spyOn(house.cache, 'get').mockImplementation(() => found.promise as ReturnType<typeof house.cache.get>);
      const y: Tensor = { name: 'y', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(2) };
      return {
        ...house,
        get,
        target: house.version(),
        find: () => found.resolve({ value: [y], ageMs: 4200, tier: 'redis' }),
        miss: () => found.resolve(undefined),
      };
    }

    it('asks it once for all, and before any engine', async () => {
      const { ask, target, get, find, engine } = await withSecondTier();
      const answers = Array.from({ length: 100 }, () => ask(target, [1]));
      await turn();
      find();
      for (const answer of await Promise.all(answers))
        expect([answer.cache.ageSeconds, stateOf(answer), rowsOf(answer)]).toEqual([4, 'HIT', [2]]);
      expect([get.mock.calls.length, engine.runs]).toEqual([1, []]);
    });

    it('runs an engine, once, where it has nothing', async () => {
      const { ask, target, get, miss, engine } = await withSecondTier();
      const answers = [ask(target, [1]), ask(target, [1])];
      await turn();
      miss();
      expect(await codes(answers)).toEqual(['MISS', 'COALESCED']);
      expect([get.mock.calls.length, engine.runs]).toEqual([1, [[1]]]);
    });

    it('runs nothing for a caller who goes while it is asked', async () => {
      const { ask, target, miss, engine } = await withSecondTier();
      const { onGone, leave } = guest();
      const told = codes([ask(target, [1], { onGone })]);
      await turn();
      leave();
      miss();
      expect(await told).toEqual(['CALLER_GONE']);
      await sleep(5);
      expect(engine.runs).toEqual([]);
    });
  });

  it('lets go of the figures of models that there are no more', async () => {
    const { ask, version, counts } = await setUp();
    await ask(version(), [1]);
    expect(counts.of('doubling').miss).toBe(1);
    counts.tidy();
    expect(counts.of('doubling').miss).toBe(0);
  });
});
