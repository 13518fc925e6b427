import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mintKey } from '../../src/auth/api-key';
import { KeyOffice } from '../../src/auth/key-office';
import { endlessLoop, linear, slowLoop, slowTwins } from '../onnx/models';
import { until } from '../process/processes';
import { Caller, predictionOf, quantile, type Reply } from './caller';
import { EngineRuns } from './engine-runs';
import { describeInProcess, freshFolder, TestApp } from '../e2e/test-app';

const SLOW_TURNS = 400_000; // 200 ms
const QUICK_TURNS = 6_000; // 3 ms
const BATCH_TURNS = 80_000; // 40 ms, in which as many calls come as make a batch
/** Hosts that work at the same time, without spares. */
const ENGINES = Math.max(2, availableParallelism());

/** How much is asked for, and what is held against it. */
export interface Fairness {
  /** Of who asks for little, one after another in each scenario. */
  readonly calls: number;
  /** At a time, of who asks for much. */
  readonly greedy: number;
  /** That are asked at once. */
  readonly models: number;
  /** Where nobody else uses the machine. */
  readonly alone?: {
    /** Runs of others that may begin until a call is answered. */
    readonly mostMeanwhile: number;
    /** Within which half of the calls are answered beside what takes no turns, ms. */
    readonly promptMs: number;
  };
}

interface Scenario {
  /** What asks for much, until `going` says no. */
  readonly load: (going: () => boolean) => Promise<unknown>;
  /** When it is under way. */
  readonly underWay: () => boolean;
  /** What asks for little: one call at a time. */
  readonly model: string;
  /** How many turns of others half of the calls may wait for: runs that begin before theirs, or uploads. */
  readonly usualTurns: number;
  /** And how many any of them. */
  readonly mostTurns: number;
  /** Whether the others' turns are uploads. */
  readonly uploads?: boolean;
}

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at);

/** A slow model, a greedy caller and the rest. */
export function describeFairness({ calls, greedy: width, models, alone }: Fairness): void {
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
      app = await TestApp.start({ env: { API_KEY: adminKey, MODELS_DIR: folder, CACHE_TTL_SECONDS: '0' } });
      const [first, second, third] = [adminKey, greedyKey, modestKey].map((key) => new Caller(app.origin, { 'X-API-Key': key }));
      [admin, greedy, modest] = [first as Caller, second as Caller, third as Caller];
      const serve = (name: string, model: Buffer, metadata: object = {}) => app.serve(name, model, metadata).set('X-API-Key', adminKey);
      await serve('fast', linear([[1]]));
      await serve('quick', slowLoop(1)); // an engine process that runs loops runs no others
      await serve('slow', slowLoop(SLOW_TURNS), { batching: 'off' });
      await serve('shared', slowLoop(QUICK_TURNS), { batching: 'off' });
      await serve('batched', slowLoop(BATCH_TURNS));
      await serve('twins', slowTwins(QUICK_TURNS));
      await serve('crashing', endlessLoop(), { deadlineMs: 100 });
      for (const at of numbers(models)) await serve(`many-${at}`, slowLoop(8_000 + at), { batching: 'off' });
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
    const stream = (count: number, ask: (at: number) => Promise<Reply>) => (going: () => boolean) =>
      Promise.all(
        numbers(count).map(async (at) => {
          for (let turn = at; going(); turn += count) {
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
      return admin.ask('/api/v1/models', Buffer.from(await body.arrayBuffer()), {
        'Content-Type': body.headers.get('content-type') ?? '',
      });
    }

    const busy = (): boolean => runs.of().length >= 2 * ENGINES;
    const told = (status: number) => (): boolean => seen.some((reply) => reply.status === status);
    const FORMS = [['y'], ['z'], ['y', 'z'], ['z', 'y']];
    // one on each engine, and one that begins while the call arrives
    const turns = { underWay: () => seen.length >= width / 2, usualTurns: ENGINES + 1, mostTurns: 4 * ENGINES };
    const SCENARIOS: Readonly<Record<string, Scenario>> = {
      'a slow model': {
        load: stream(2 * ENGINES, () => greedy.predict('slow', [1])),
        // the first call waits for a spare to start, which on a busy machine takes as long as a turn or two of each engine
        ...{ underWay: busy, model: 'quick', usualTurns: 0, mostTurns: 2 * ENGINES },
      },
      'a greedy caller of the same model, each call a run of its own': {
        load: stream(width, () => greedy.predict('shared', [1])),
        ...{ ...turns, model: 'shared' },
      },
      'a greedy caller of the same model, whose calls become batches': {
        load: stream(width, () => greedy.predict('batched', [1])),
        ...{ ...turns, model: 'batched' },
      },
      'a greedy caller who asks in many forms': {
        load: stream(Math.min(width, 200), (at) => infer('twins', 1, FORMS[at % FORMS.length] as string[])),
        ...{ ...turns, model: 'twins' },
      },
      'a model that ends its engine process again and again': {
        load: stream(4, () => greedy.predict('crashing', [1])),
        ...{ underWay: told(504), model: 'quick', usualTurns: 0, mostTurns: ENGINES },
      },
      'models that are uploaded and loaded meanwhile': {
        load: stream(2, uploadOf),
        ...{ underWay: told(201), model: 'fast', usualTurns: 1, mostTurns: 4, uploads: true },
      },
    };

    it.each(Object.entries(SCENARIOS))('beside %s', async (_, { load, underWay, model, usualTurns, mostTurns, uploads = false }) => {
      expect((await modest.predict(model, [0])).status).toBe(200);
      let going = true;
      const loaded = load(() => going);
      await until('the load is under way', underWay, 10_000);
      const since = runs.of().length + seen.length;
      const waitedFor: number[] = [];
      const meanwhile: number[] = [];
      const replies: Reply[] = [];
      for (const at of numbers(calls)) {
        const [begun, answered] = [runs.of().length, seen.length];
        replies.push(await modest.predict(model, [-at - 1]));
        const own = runs.of().findIndex((rows) => rows.includes(-at - 1));
        waitedFor.push(uploads ? seen.length - answered : own - begun);
        meanwhile.push(runs.of().length - begun - 1);
        await sleep(20);
      }
      await until('the others had turns too', () => runs.of().length + seen.length > since + calls, 10_000);
      going = false;
      await loaded;
      expect(replies.map(({ status }) => status)).toEqual(numbers(calls).map(() => 200));
      expect(replies.map(predictionOf)).toEqual(numbers(calls).map((at) => -at - 1));
      expect(quantile(waitedFor, 0.5)).toBeLessThanOrEqual(usualTurns);
      expect(Math.max(...waitedFor)).toBeLessThanOrEqual(mostTurns);
      if (alone === undefined) return;
      expect(Math.max(...meanwhile)).toBeLessThanOrEqual(alone.mostMeanwhile);
      if (usualTurns === 0 || uploads) expect(quantile(replies.map(({ ms }) => ms), 0.5)).toBeLessThan(alone.promptMs); // prettier-ignore
    });

    it('of many models at once', async () => {
      const each = 10;
      const done = numbers(models).map(() => 0);
      let least: number | undefined;
      const replies = await Promise.all(
        numbers(models * each).map(async (at) => {
          const model = at % models;
          const reply = await greedy.predict(`many-${model}`, [1 + at]);
          done[model] = (done[model] as number) + 1;
          if (done[model] === each) least ??= Math.min(...done);
          return reply;
        }),
      );
      expect(replies.map(predictionOf)).toEqual(numbers(models * each).map((at) => 1 + at));
      // each engine has models of its own, and is as fast as other tests on this machine let it be
      expect(least).toBeGreaterThanOrEqual(alone ? each / 2 : each / 4);
    });
  });
}
