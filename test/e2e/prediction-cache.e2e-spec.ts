import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyOffice } from '../../src/auth/key-office';
import { mintKey } from '../../src/auth/api-key';
import { Measurements } from '../../src/models/serving/measurements';
import { linear, nanOutput, slowLoop, twoInputs } from '../onnx/models';
import { asBinary, asRaw } from '../open-inference/client';
import { hangUp, post } from '../open-inference/post';
import { until } from '../process/processes';
import { Caller, predictionOf, type Reply } from '../scheduling/caller';
import { EngineRuns } from '../scheduling/engine-runs';
import { linearTwin, nanOutputTwin, twoInputsTwin } from '../tfjs/twins';
import { describeEveryEngine, describeInProcess, freshFolder, itInProcess, TestApp } from './test-app';

const LINE = linear([[2], [3]], [1]);
const numbers = (count: number, from = 0): readonly number[] => Array.from({ length: count }, (_, at) => from + at);
const cacheOf = ({ headers }: Pick<Reply, 'headers'>): unknown => headers['x-cache'];

interface Figures {
  readonly answers: Readonly<Record<string, number>>;
  readonly models: readonly { readonly model: string; readonly hits: number }[];
  readonly memory: Readonly<Record<string, number>>;
}

describeEveryEngine('the prediction cache', (way, engine) => {
  const [line, pair, root] =
    engine === 'tfjs' ? [linearTwin([[2], [3]], [1]), twoInputsTwin(), nanOutputTwin()] : [LINE, twoInputs(), nanOutput()];
  let app: TestApp;
  let caller: Caller;
  beforeAll(async () => {
    app = await TestApp.start({ env: way });
    caller = new Caller(app.origin);
    await app.serve('line', line);
  });
  afterAll(async () => {
    hangUp();
    caller.hangUp();
    await app.close();
  });

  const figures = async (): Promise<Figures> => (await app.request().get('/api/v1/cache').expect(200)).body as Figures;
  const statesOf = async (model: string, instance: unknown, headers: readonly Readonly<Record<string, string>>[]): Promise<unknown[]> => {
    const states: unknown[] = [];
    for (const each of headers) states.push(cacheOf(await caller.predict(model, instance, each)));
    return states;
  };
  /** Hits, misses, coalesced and bypassed as Prometheus is told of them. */
  const countedBy = async (model: string): Promise<readonly number[]> => {
    const { text } = await app.request().get('/metrics').expect(200);
    const count = (outcome: string): number =>
      Number(new RegExp(`^prediction_cache_answers_total{model="${model}",outcome="${outcome}"} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
    return ['hit', 'miss', 'coalesced', 'bypassed'].map(count);
  };
  const promote = (model: string, version: number) =>
    app.request().post(`/api/v1/models/${model}/versions/${version}/promote`).send({ stage: 'production' }).expect(200);

  it('answers a question again, and says so', async () => {
    const first = await caller.predict('line', [1, 2]);
    expect(cacheOf(first)).toBe('MISS');
    expect(first.headers).not.toHaveProperty('age');
    const second = await caller.predict('line', [1, 2]);
    expect(second.headers).toMatchObject({
      'x-cache': 'HIT',
      age: '0',
      'x-model-version': '1',
      'x-model-digest': first.headers['x-model-digest'],
      'server-timing': expect.stringMatching(/^decode;dur=[\d.]+, cache;dur=[\d.]+, queue;dur=0.000, infer;dur=0.000, encode;dur=[\d.]+$/),
    });
    expect([predictionOf(first), predictionOf(second)]).toEqual([9, 9]);
    await sleep(1100);
    expect((await caller.predict('line', [1, 2])).headers['age']).toBe('1');
  });

  it('does as the caller says: no-store keeps out of it, no-cache wants a new answer and keeps it', async () => {
    const say = (directives: string) => ({ 'Cache-Control': directives });
    expect(await statesOf('line', [3, 4], [say('no-store'), {}, say('no-store'), say('no-cache'), {}])).toEqual([
      'BYPASS',
      'MISS',
      'BYPASS',
      'MISS',
      'HIT',
    ]);
    expect(
      await statesOf('line', [3, 4], ['max-age=3600', 'No-Store, max-age=0', 'no-cache, no-store', 'NO-CACHE', 'x-no-cache'].map(say)),
    ).toEqual(['HIT', 'BYPASS', 'BYPASS', 'MISS', 'HIT']);
  });

  it('is not asked for an answer to an earlier request with other headers than those that are in the key', async () => {
    const odd = {
      'Accept-Language': 'de',
      'X-Forwarded-Host': 'evil.example',
      Origin: app.origin,
      'User-Agent': '<script>',
      Accept: 'text/html',
    };
    const poison = await caller.predict('line', [5, 6], { ...odd, 'X-Correlation-Id': 'the-poisoner-1' });
    const victim = await caller.predict('line', [5, 6]);
    expect([cacheOf(poison), cacheOf(victim)]).toEqual(['MISS', 'HIT']);
    expect(victim.headers['x-correlation-id']).not.toBe('the-poisoner-1');
    const stable = ({ bytes }: Reply): string => bytes.toString().replace(/"timestamp":"[^"]*"/, '');
    expect(stable(victim)).toBe(stable(poison));
    expect(victim.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(JSON.stringify([victim.headers, stable(victim)])).not.toMatch(/evil|script/);
  });

  it.each([
    ['where the metadata say enabled: false', 'closed', { cache: { enabled: false } }, ['BYPASS', 'BYPASS']],
    ['where they say how long', 'brief', { cache: { ttlSeconds: 1 } }, ['MISS', 'HIT']],
  ])('is left alone, or used, %s', async (_, name, metadata, states) => {
    await app.serve(name, linear([[1], [name.length]]), metadata);
    expect(await statesOf(name, [1, 2], [{}, {}])).toEqual(states);
    await sleep(1001);
    expect(await statesOf(name, [1, 2], [{}])).toEqual(states.slice(0, 1));
  });

  itInProcess('is left alone by a version that answers now so, now so, and by one that is being measured again', async () => {
    const { body } = await app.serve('moody', linear([[1], [77]]));
    const known = app.app.get(Measurements);
    const measured = known.of(body.executable);
    expect(measured).toMatchObject({ repeatable: true });
    const of = jest.spyOn(known, 'of').mockReturnValue({ ...(measured as NonNullable<typeof measured>), repeatable: false });
    expect(await statesOf('moody', [1, 2], [{}, {}])).toEqual(['BYPASS', 'BYPASS']);
    of.mockReturnValue(undefined);
    expect(await statesOf('moody', [1, 2], [{}, {}])).toEqual(['BYPASS', 'BYPASS']);
    of.mockRestore();
    expect(await statesOf('moody', [1, 2], [{}, {}])).toEqual(['MISS', 'HIT']);
  });

  it('keeps no answer that is refused for NaN, and keeps one that tells it', async () => {
    await app.serve('strict', root, { nonFinite: 'reject' });
    const refused = [await caller.predict('strict', [-1]), await caller.predict('strict', [-1])];
    expect(refused.map(({ status }) => status)).toEqual([422, 422]);
    await app.serve('open', root, { cache: { ttlSeconds: 60 } });
    // the same executable: what the strict one had kept would be found
    const told = [await caller.predict('open', [-1]), await caller.predict('open', [-1])];
    expect(told.map(cacheOf)).toEqual(['MISS', 'HIT']);
    expect(told.map(({ headers }) => headers['x-non-finite'])).toEqual(['1', '1']);
    expect((await caller.predict('strict', [-1])).status).toBe(422);
  });

  it('has one answer for all dialects', async () => {
    const row = [11, 12];
    const bytes = Buffer.from(Float32Array.from(row).buffer);
    const tensor = { datatype: 'FP32', shape: [1, 2], bytes } as const;
    const binary = asBinary('x', tensor);
    const asks: Readonly<Record<string, () => Promise<{ readonly headers: Reply['headers']; readonly status: number }>>> = {
      native: () => caller.predict('line', row),
      'v2, JSON': () => caller.ask('/v2/models/line/infer', { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: row }] }),
      'v2, bytes': () => post(`${app.origin}/v2/models/line/infer`, binary.body, binary.headers),
      'v1, rows': () => caller.ask('/v1/models/line:predict', { instances: [row] }),
      'v1, columns': () => caller.ask('/v1/models/line:predict', { inputs: [row] }),
    };
    expect(asRaw(tensor).body).toHaveLength(8);
    for (const [first, ask] of Object.entries(asks)) {
      await app.request().delete('/api/v1/cache').expect(200);
      expect([first, cacheOf(await ask())]).toEqual([first, 'MISS']);
      for (const [then, again] of Object.entries(asks)) {
        const { status, headers } = await again();
        expect([first, then, status, headers['x-cache']]).toEqual([first, then, 200, 'HIT']);
      }
    }
  });

  it('tells apart what looks alike: shapes, datatypes, inputs that change places, outputs', async () => {
    await app.serve('pair', pair);
    const ask = async (a: number, b: number, outputs?: readonly string[]) => {
      const input = (name: string, value: number) => ({ name, datatype: 'FP32', shape: [1, 1], data: [value] });
      const inputs = [input('a', a), input('b', b)];
      const reply = await caller.ask('/v2/models/pair/infer', { inputs, ...(outputs && { outputs: outputs.map((name) => ({ name })) }) });
      return [cacheOf(reply), JSON.parse(reply.bytes.toString()).outputs?.map(({ data }: { data: unknown[] }) => data[0])];
    };
    expect(await ask(3, 4)).toEqual(['MISS', [7, 12]]);
    expect(await ask(4, 3)).toEqual(['MISS', [7, 12]]);
    expect(await ask(3, 4, ['product'])).toEqual(['MISS', [12]]);
    expect(await ask(3, 4, ['sum'])).toEqual(['MISS', [7]]);
    expect(await ask(3, 4, ['product', 'sum'])).toEqual(['MISS', [12, 7]]);
    expect(await ask(3, 4, ['product'])).toEqual(['HIT', [12]]);
    const zero = await caller.ask('/v2/models/pair/infer', asked(0));
    const minus = await caller.ask('/v2/models/pair/infer', asked(-0));
    expect([cacheOf(zero), cacheOf(minus)]).toEqual(['MISS', 'MISS']);
    const twoRows = await caller.ask('/api/v1/predict/line', { instances: [[1, 2], [3, 4]] }); // prettier-ignore
    expect(cacheOf(twoRows)).toBe('MISS');
  });

  it('computes once what many ask at once', async () => {
    await app.serve('slow', slowLoop(2_000_000));
    const before = await executionsOf('slow');
    const replies = await Promise.all(numbers(200).map(() => caller.predict('slow', [5])));
    expect(new Set(replies.map(predictionOf))).toEqual(new Set([5]));
    const states = replies.map(cacheOf);
    expect(states.filter((state) => state === 'MISS')).toHaveLength(1);
    expect(new Set(states)).toEqual(new Set(['MISS', 'COALESCED', 'HIT'].filter((state) => states.includes(state))));
    expect(states).toContain('COALESCED');
    expect((await executionsOf('slow')) - before).toBe(1);
  });

  it('goes on where the caller leaves for whom it is computed', async () => {
    await app.serve('slower', slowLoop(400_000), { batching: 'off' });
    const [first, ...others] = numbers(3).map(() => caller.send('/api/v1/predict/slower', { instances: [[6]] }));
    const left = first?.reply.catch(() => 'left');
    await sleep(50);
    first?.leave();
    expect(await left).toBe('left');
    const replies = await Promise.all(others.map(({ reply }) => reply));
    expect(replies.map((reply) => [reply.status, predictionOf(reply)])).toEqual([[200, 6], [200, 6]]); // prettier-ignore
    expect(replies.map(cacheOf).toSorted()).toEqual(['COALESCED', 'MISS']);
  });

  it('lets everybody wait as long as it said', async () => {
    await app.serve('patient', slowLoop(400_001), { batching: 'off' });
    const ask = (ms: string) => caller.predict('patient', [7], { 'X-Request-Deadline-Ms': ms });
    const replies = await Promise.all([ask('20000'), ask('50'), ask('20000')]);
    expect(replies.map(({ status }) => status)).toEqual([200, 504, 200]);
  });

  const executionsOf = async (model: string): Promise<number> =>
    (JSON.parse((await caller.ask(`/v2/models/${model}/stats`)).bytes.toString()).model_stats[0] as { execution_count: number })
      .execution_count;

  describe('never gives an answer of another version', () => {
    it('while versions change under load, and gives its own again after a rollback', async () => {
      await app.serve('changing', linear([[1]]));
      for (const weight of [2, 3]) await app.upload('changing', linear([[weight]])).expect(201);
      let going = true;
      const wrong: unknown[] = [];
      const states = new Set<unknown>();
      const load = Promise.all(
        numbers(8).map(async (at) => {
          while (going) {
            const reply = await caller.predict('changing', [10 + (at % 2)]);
            states.add(cacheOf(reply));
            const version = Number(reply.headers['x-model-version']);
            if (reply.status !== 200 || predictionOf(reply) !== version * (10 + (at % 2)))
              wrong.push([reply.status, version, predictionOf(reply)]);
          }
        }),
      );
      for (const version of [2, 3, 1, 3, 2, 1, 2]) {
        await promote('changing', version);
        // whoever asks after the promotion is answered gets the new version's answer
        expect(predictionOf(await caller.predict('changing', [10]))).toBe(10 * version);
      }
      going = false;
      await load;
      expect(wrong).toEqual([]);
      expect(states).toContain('HIT');
      await app.request().post('/api/v1/models/changing/rollback').send({}).expect(200);
      const back = await caller.predict('changing', [10]);
      expect([back.headers['x-model-version'], predictionOf(back), cacheOf(back)]).toEqual(['1', 10, 'HIT']);
    });

    it('and shares one where two models are the same executable', async () => {
      const twin = linear([[9], [8]]);
      await app.serve('twin-1', twin, { description: 'one' });
      await app.serve('twin-2', twin, { cache: { ttlSeconds: 30 }, nonFinite: 'null' });
      expect(await statesOf('twin-1', [1, 1], [{}])).toEqual(['MISS']);
      expect(await statesOf('twin-2', [1, 1], [{}])).toEqual(['HIT']);
      expect(await statesOf('line', [1, 1], [{}])).toEqual(['MISS']);
    });
  });

  describe('is shown and cleared at /api/v1/cache', () => {
    it('with what it did, for each model', async () => {
      await app.serve('counted', linear([[5], [1]]));
      const before = (await figures()).answers;
      const counted = await countedBy('counted');
      await statesOf('counted', [1, 1], [{}, {}, {}, { 'Cache-Control': 'no-store' }]);
      const { answers, models, memory } = await figures();
      expect(models.find(({ model }) => model === 'counted')).toEqual({ model: 'counted', hits: 2, misses: 1, coalesced: 0, bypassed: 1 });
      expect((answers['hits'] as number) - (before['hits'] as number)).toBe(2);
      expect(memory).toMatchObject({ maxEntries: 100_000, maxBytes: 64 * 2 ** 20, evictions: expect.any(Number) });
      expect(memory['entries']).toBeGreaterThan(0);
      // applications of one process have their series in common
      const after = await countedBy('counted');
      expect(after.map((count, at) => count - (counted[at] as number))).toEqual([2, 1, 0, 1]);
      const { inference_stats, inference_count } = JSON.parse((await caller.ask('/v2/models/counted/stats')).bytes.toString())
        .model_stats[0];
      const count = (name: string): number => (inference_stats as Record<string, { count: number }>)[name]?.count as number;
      expect(['success', 'cache_hit', 'cache_miss', 'compute_infer'].map(count)).toEqual([4, 2, 1, 2]);
      expect(inference_count).toBe(2);
    });

    it('whole, by model, by version', async () => {
      const remove = async (query = ''): Promise<number> =>
        (await app.request().delete(`/api/v1/cache${query}`).expect(200)).body.removed as number;
      await remove();
      await app.serve('kept', linear([[6], [1]]));
      await app.upload('kept', linear([[7], [1]])).expect(201);
      const fill = async (): Promise<void> => {
        for (const row of [1, 2, 3]) await caller.predict('kept', [row, 1]);
        for (const row of [1, 2]) await caller.predict('kept?version=2', [row, 1]);
        await caller.predict('line', [1, 1]);
      };
      await fill();
      expect(await remove('?model=kept&version=2')).toBe(2);
      expect(await remove('?model=kept&version=2')).toBe(0);
      expect(await statesOf('kept', [1, 1], [{}])).toEqual(['HIT']);
      expect(await remove('?model=kept')).toBe(3);
      expect(await statesOf('line', [1, 1], [{}])).toEqual(['HIT']);
      await fill();
      expect(await remove()).toBe(6);
      expect((await figures()).memory['entries']).toBe(0);
    });

    it.each([
      ['?version=1', 400, { code: 'MALFORMED_BODY', field: 'query.model' }],
      ['?model=nobody', 404, { code: 'MODEL_NOT_FOUND' }],
      ['?model=line&version=9', 404, { code: 'VERSION_NOT_FOUND' }],
      ['?model=Line!', 400, { code: 'INVALID_NAME' }],
      ['?model=line&version=one', 400, { code: 'MALFORMED_BODY', field: 'query.version' }],
      ['?model=line&model=line', 400, { code: 'MALFORMED_BODY', field: 'query.model' }],
      ['?modle=line', 400, { code: 'MALFORMED_BODY', field: 'query.modle' }],
    ])('but not for %s', async (query, status, problem) => {
      expect((await app.request().delete(`/api/v1/cache${query}`).expect(status)).body).toMatchObject(problem);
    });

    it('by itself where a version is deleted, unless another one is the same executable', async () => {
      await app.request().delete('/api/v1/cache').expect(200);
      const [shared, alone] = [linear([[40], [1]]), linear([[41], [1]])];
      await app.upload('going', shared).expect(201);
      await app.upload('going', alone).expect(201);
      await app.upload('staying', shared).expect(201);
      for (const version of [1, 2]) await caller.predict(`going?version=${version}`, [1, 1]);
      expect((await figures()).memory['entries']).toBe(2);
      await app.request().delete('/api/v1/models/going/versions/1').expect(204);
      expect(cacheOf(await caller.predict('staying?version=1', [1, 1]))).toBe('HIT');
      await app.request().delete('/api/v1/models/going').expect(204);
      expect((await figures()).memory['entries']).toBe(1);
      expect((await figures()).models.map(({ model }) => model)).not.toContain('going');
      expect((await app.request().get('/metrics')).text).not.toContain('model="going"');
    });
  });
});

/** A question whose first input is this very number, which JSON.stringify would not tell from nought. */
function asked(value: number): Buffer {
  const text = Object.is(value, -0) ? '-0' : String(value);
  const input = (name: string, data: string): string => `{"name":"${name}","datatype":"FP32","shape":[1,1],"data":[${data}]}`;
  return Buffer.from(`{"inputs":[${input('a', text)},${input('b', '1')}]}`);
}

describeInProcess('a thousand equal predictions at once', () => {
  it('are one run of an engine', async () => {
    const app = await TestApp.start({ env: { MODEL_ISOLATION: 'always', MAX_CALLS_PER_MODEL: '2' } });
    const caller = new Caller(app.origin);
    try {
      await app.serve('slow', slowLoop(400_000));
      await caller.predict('slow', [0]);
      const runs = new EngineRuns();
      const replies = await Promise.all(numbers(1000).map(() => caller.predict('slow', [8])));
      expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
      expect(runs.of()).toEqual([[8]]);
    } finally {
      jest.restoreAllMocks();
      caller.hangUp();
      await app.close();
    }
  });
});

describeInProcess('a key that may use some models', () => {
  it('sees their figures and forgets their answers, and no others', async () => {
    const folder = freshFolder();
    const office = new KeyOffice(join(folder, 'auth', 'keys.json'), folder, 'cli:test');
    const { text: key } = await office.create({ name: 'team', scopes: ['cache:admin', 'predict'], models: ['mine-*'] });
    const admin = mintKey().text;
    const app = await TestApp.start({ env: { API_KEY: admin, MODELS_DIR: folder } });
    const [team, all] = [{ 'X-API-Key': key }, { 'X-API-Key': admin }];
    try {
      await app.serve('mine-1', linear([[1]])).set(all);
      await app.serve('yours', linear([[2]])).set(all);
      await until('the key is known', async () => (await app.request().get('/api/v1/cache').set(team)).status === 200);
      const instances = [[randomUUID().length]];
      for (const model of ['mine-1', 'yours']) await app.predict(model, { instances }).set(all).expect(200);
      const { body } = await app.request().get('/api/v1/cache').set(team).expect(200);
      expect(body.models.map(({ model }: { readonly model: string }) => model)).toEqual(['mine-1']);
      expect(body.answers.misses).toBe(1);
      await app.request().delete('/api/v1/cache?model=yours').set(team).expect(403);
      await app.request().delete('/api/v1/cache?model=nobody').set(team).expect(403);
      expect((await app.request().delete('/api/v1/cache').set(team).expect(200)).body).toEqual({ removed: 1 });
      expect((await app.request().delete('/api/v1/cache').set(all).expect(200)).body).toEqual({ removed: 1 });
    } finally {
      await app.close();
    }
  });
});
