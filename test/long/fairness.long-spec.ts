import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mintKey } from '../../src/auth/api-key';
import { KeyOffice } from '../../src/auth/key-office';
import { endlessLoop, linear, slowLoop, slowTwins } from '../onnx/models';
import { until } from '../process/processes';
import { Caller, predictionOf, quantile, type Reply } from '../scheduling/caller';
import { EngineRuns } from '../scheduling/engine-runs';
import { describeInProcess, freshFolder, TestApp } from '../e2e/test-app';

const CALLS = 6;
const GREEDY = 500;
const SLOW_TURNS = 250_000; // 120 ms
const QUICK_TURNS = 10_000; // 5 ms
/** How many runs of others may begin while a call waits: one on each engine and each spare, and as many while it runs itself. */
const MOST_OTHERS = 8;

interface Scenario {
  /** What asks for much, until `going` says no. */
  readonly load: (going: () => boolean) => Promise<unknown>;
  /** When it is under way. */
  readonly underWay: () => boolean;
  /** What asks for little: one call at a time. */
  readonly model: string;
  /** Whether others' runs are as long as to be worth counting. */
  readonly counts: boolean;
}

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at);

describeInProcess('nobody is starved', () => {
  let app: TestApp;
  let admin: Caller;
  let greedy: Caller;
  let modest: Caller;
  let runs: EngineRuns;
  const seen: Reply[] = [];

  beforeAll(async () => {
    const folder = freshFolder();
    const office = new KeyOffice(join(folder, 'auth', 'keys.json'), folder, 'cli:test');
    const keyOf = async (name: string) => (await office.create({ name, scopes: ['predict'], models: [] })).text;
    const [greedyKey, modestKey, adminKey] = [await keyOf('greedy'), await keyOf('modest'), mintKey().text];
    app = await TestApp.start({ env: { API_KEY: adminKey, MODELS_DIR: folder } });
    const [first, second, third] = [adminKey, greedyKey, modestKey].map((key) => new Caller(app.origin, { 'X-API-Key': key }));
    [admin, greedy, modest] = [first as Caller, second as Caller, third as Caller];
    const serve = (name: string, model: Buffer, metadata: object = {}) => app.serve(name, model, metadata).set('X-API-Key', adminKey);
    await serve('fast', linear([[1]]));
    await serve('quick', slowLoop(1)); // an engine process that runs loops runs no others
    await serve('slow', slowLoop(SLOW_TURNS), { batching: 'off' });
    await serve('shared', slowLoop(QUICK_TURNS), { batching: 'off' });
    await serve('batched', slowLoop(QUICK_TURNS + 1));
    await serve('twins', slowTwins(QUICK_TURNS));
    await serve('crashing', endlessLoop(), { deadlineMs: 100 });
    for (const at of numbers(20)) await serve(`many-${at}`, slowLoop(8_000 + at), { batching: 'off' });
  }, 60_000);
  beforeEach(() => {
    runs = new EngineRuns();
    seen.length = 0;
  });
  afterEach(() => jest.restoreAllMocks());
  afterAll(async () => {
    for (const caller of [admin, greedy, modest]) caller.hangUp();
    await app.close();
  });

  /** So many at a time, again and again. */
  const stream = (width: number, ask: (at: number) => Promise<Reply>) => (going: () => boolean) =>
    Promise.all(
      numbers(width).map(async (at) => {
        for (let turn = at; going(); turn += width) {
          const reply = await ask(turn);
          seen.push(reply);
          if (reply.status >= 400) await sleep(500);
        }
      }),
    );
  const infer = (model: string, value: number, outputs: readonly string[]): Promise<Reply> =>
    greedy.ask(`/v2/models/${model}/infer`, {
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 1], data: [value] }],
      outputs: outputs.map((name) => ({ name })),
    });
  async function uploadOf(at: number): Promise<Reply> {
    const form = new FormData();
    form.set('name', `uploaded-${at}`);
    form.set('stage', 'production');
    form.set('file', new Blob([Uint8Array.from(linear([[at]]))]), 'model.onnx');
    const body = new Response(form);
    return admin.ask('/api/v1/models', Buffer.from(await body.arrayBuffer()), { 'Content-Type': body.headers.get('content-type') ?? '' });
  }

  const busy = (): boolean => runs.of().length >= 4;
  const FORMS = [['y'], ['z'], ['y', 'z'], ['z', 'y']];
  const SCENARIOS: Readonly<Record<string, Scenario>> = {
    'a slow model': {
      load: stream(8, () => greedy.predict('slow', [1])),
      ...{ underWay: busy, model: 'quick', counts: true },
    },
    'a greedy caller of the same model, each call a run of its own': {
      load: stream(GREEDY, () => greedy.predict('shared', [1])),
      ...{ underWay: busy, model: 'shared', counts: true },
    },
    'a greedy caller of the same model, whose calls become batches': {
      load: stream(GREEDY, () => greedy.predict('batched', [1])),
      ...{ underWay: busy, model: 'batched', counts: true },
    },
    'a greedy caller who asks in many forms': {
      load: stream(200, (at) => infer('twins', 1, FORMS[at % FORMS.length] as string[])),
      ...{ underWay: busy, model: 'twins', counts: true },
    },
    'a model that ends its engine process again and again': {
      load: stream(4, () => greedy.predict('crashing', [1])),
      ...{ underWay: () => seen.some(({ status }) => status === 504), model: 'quick', counts: false },
    },
    'models that are uploaded and loaded meanwhile': {
      load: stream(2, uploadOf),
      ...{ underWay: () => seen.some(({ status }) => status === 201), model: 'fast', counts: false },
    },
  };

  it.each(Object.entries(SCENARIOS))('beside %s', async (_, { load, underWay, model, counts }) => {
    expect((await modest.predict(model, [0])).status).toBe(200);
    let going = true;
    const loaded = load(() => going);
    await until('the load is under way', underWay, 10_000);
    const others: number[] = [];
    const replies: Reply[] = [];
    for (const at of numbers(CALLS)) {
      const before = runs.of().length;
      replies.push(await modest.predict(model, [-at - 1]));
      others.push(runs.of().length - before - 1);
      await sleep(counts ? 10 : 50);
    }
    going = false;
    await loaded;
    expect(replies.map(({ status }) => status)).toEqual(numbers(CALLS).map(() => 200));
    expect(replies.map(predictionOf)).toEqual(numbers(CALLS).map((at) => -at - 1));
    if (counts) expect(Math.max(...others)).toBeLessThanOrEqual(MOST_OTHERS);
    else expect(quantile(replies.map(({ ms }) => ms), 0.5)).toBeLessThan(1000); // prettier-ignore
  });

  it('of twenty models at once', async () => {
    const each = 10;
    const done = numbers(20).map(() => 0);
    let least: number | undefined;
    const replies = await Promise.all(
      numbers(20 * each).map(async (at) => {
        const model = at % 20;
        const reply = await greedy.predict(`many-${model}`, [1 + at]);
        done[model] = (done[model] as number) + 1;
        if (done[model] === each) least ??= Math.min(...done);
        return reply;
      }),
    );
    expect(replies.map(predictionOf)).toEqual(numbers(20 * each).map((at) => 1 + at));
    expect(least).toBeGreaterThanOrEqual(each / 2);
  });
});
