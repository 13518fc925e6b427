import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { register } from 'prom-client';
import { KeyOffice } from '../../src/auth/key-office';
import { linear } from '../onnx/models';
import { until } from '../process/processes';
import { describeBothWays, freshFolder, itInProcess, TestApp } from './test-app';

const ROOT = join(__dirname, '../..');
const example = (path: string): Buffer => readFileSync(join(ROOT, 'examples', path));
const IRIS = example('iris/model.onnx');
const IRIS_METADATA = JSON.parse(example('iris/metadata.json').toString()) as object;
const CARS = example('fuel-economy/model.onnx');
const CARS_METADATA = JSON.parse(example('fuel-economy/metadata.json').toString()) as object;
const SETTINGS = { QUALITY_WINDOW: '300', QUALITY_BASELINE_ROWS: '300' };

interface Drift {
  readonly baseline: string;
  readonly sampled: number;
  readonly rows: number;
  readonly features: readonly { readonly feature: string; readonly psi: number | null }[];
}
interface Quality {
  readonly versions: readonly {
    readonly version: number;
    readonly feedback: { readonly received: number; readonly window: number; readonly figures: Readonly<Record<string, unknown>> } | null;
    readonly drift: Drift | null;
  }[];
}

/** What is wrong with an outcome, and what is said to it. */
const WRONG = [
  [404, 'MODEL_NOT_FOUND', 'model', { model: 'rose' }],
  [404, 'VERSION_NOT_FOUND', 'version', { version: 2 }],
  [422, 'FEEDBACK_MISMATCH', '[1].prediction', { prediction: 'rose' }],
  [422, 'FEEDBACK_MISMATCH', '[1].actual', { actual: 0 }],
  [422, 'FEEDBACK_MISMATCH', '[1].previous', { previous: 0 }],
  [422, 'FEEDBACK_MISMATCH', '[1].features', { features: [1, 2, 3] }],
  [422, 'FEEDBACK_MISMATCH', '[1].features[3]', { features: [1, 2, 3, '4'] }],
  [422, 'FEEDBACK_MISMATCH', '[1].features.sepal_length_cm', { features: {} }],
  [422, 'FEEDBACK_MISMATCH', '[1].features.colour', { features: { sepal_length_cm: 1, sepal_width_cm: 1, petal_length_cm: 1, petal_width_cm: 1, colour: 1 } }], // prettier-ignore
  [400, 'MALFORMED_BODY', '[1].actual', { actual: null }],
] as const;

let app: TestApp;
let folder: string;

async function start(env: Readonly<Record<string, string>> = {}): Promise<void> {
  app = await TestApp.start({ env: { ...SETTINGS, ...env }, modelsDir: folder });
}

beforeEach(() => {
  folder = freshFolder();
  register.resetMetrics(); // one for all applications of a process
});
afterEach(async () => {
  await app.close();
  rmSync(folder, { recursive: true });
});

const tell = (body: object) => app.request().post('/api/v1/feedback').send(body);
const qualityOf = async (model: string): Promise<Quality> =>
  (await app.request().get(`/api/v1/models/${model}/quality`).expect(200)).body as Quality;
const driftOf = async (model: string): Promise<Drift | null | undefined> => (await qualityOf(model)).versions[0]?.drift;
const psiOf = async (model: string): Promise<number | null | undefined> => (await driftOf(model))?.features[0]?.psi;

/** The series of this room, by name and labels. */
async function series(): Promise<Readonly<Record<string, number>>> {
  const { text } = await app.request().get('/metrics').expect(200);
  const lines = text
    .split('\n')
    .filter((line) => /^model_(feedback|accuracy|macro|precision|recall|mae|rmse|directional|input_drift)/.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

/** Even values from `from` on, the same each time, in another order than theirs. */
const spread = (count: number, from = 0): readonly (readonly number[])[] => Array.from({ length: count }, (_, at) => [from + ((at * 37) % count) / count]); // prettier-ignore

/** Each row as a call of its own: of a call with many rows only some are looked at. */
async function askEach(model: string, rows: readonly (readonly number[])[]): Promise<void> {
  for (let at = 0; at < rows.length; at += 16) await app.predict(model, { instances: rows.slice(at, at + 16) }).expect(200);
}

/** What comes while it is not known yet whether a baseline was learned before is not looked at. */
async function open(model: string): Promise<void> {
  let at = 0;
  await until('the watch is open', async () => {
    await app.predict(model, { instances: [[at++ / 1000]] }).expect(200);
    const drift = await driftOf(model);
    return (drift?.sampled ?? 0) > 0 || (drift?.rows ?? 0) > 0;
  });
}

describe('what came true', () => {
  it('makes the accuracy, the precision and the recall of a classifier, here and at /metrics', async () => {
    await start();
    await app.serve('iris', IRIS, IRIS_METADATA);
    const outcome = (prediction: string, actual: string): object => ({ model: 'iris', version: 1, prediction, actual });
    await tell(outcome('setosa', 'setosa')).expect(200, { accepted: 1, versions: [{ model: 'iris', version: 1, accepted: 1 }] });
    await tell([outcome('setosa', 'virginica'), outcome('virginica', 'virginica')]).expect(200);
    await tell({ items: [outcome('versicolor', 'versicolor')] }).expect(200);
    const [version] = (await qualityOf('iris')).versions;
    expect(version?.feedback).toEqual({
      task: 'classification',
      received: 4,
      window: 4,
      figures: {
        accuracy: 0.75,
        precision: (0.5 + 1 + 1) / 3,
        recall: (1 + 0.5 + 1) / 3,
        classes: [
          { label: 'setosa', precision: 0.5, recall: 1, predicted: 2, actual: 1 },
          { label: 'virginica', precision: 1, recall: 0.5, predicted: 1, actual: 2 },
          { label: 'versicolor', precision: 1, recall: 1, predicted: 1, actual: 1 },
        ],
      },
    });
    expect(await series()).toEqual({
      'model_feedback_total{model="iris",version="1"}': 4,
      'model_feedback_window_items{model="iris",version="1"}': 4,
      'model_accuracy_ratio{model="iris",version="1"}': 0.75,
      'model_macro_precision_ratio{model="iris",version="1"}': (0.5 + 1 + 1) / 3,
      'model_macro_recall_ratio{model="iris",version="1"}': (1 + 0.5 + 1) / 3,
      'model_precision_ratio{model="iris",version="1",class="setosa"}': 0.5,
      'model_precision_ratio{model="iris",version="1",class="virginica"}': 1,
      'model_precision_ratio{model="iris",version="1",class="versicolor"}': 1,
      'model_recall_ratio{model="iris",version="1",class="setosa"}': 1,
      'model_recall_ratio{model="iris",version="1",class="virginica"}': 0.5,
      'model_recall_ratio{model="iris",version="1",class="versicolor"}': 1,
    });
  });

  it('makes the errors of a regressor, of the last outcomes only', async () => {
    await start({ QUALITY_WINDOW: '10' });
    await app.serve('cars', CARS, CARS_METADATA);
    const item = { model: 'cars', version: 1 };
    await tell(Array.from({ length: 10 }, () => ({ ...item, prediction: 900, actual: -900 }))).expect(200);
    await tell(Array.from({ length: 10 }, (_, at) => ({ ...item, prediction: 20, actual: at < 5 ? 23 : 16, previous: 18 }))).expect(200);
    const figures = { mae: 3.5, rmse: Math.sqrt((9 + 16) / 2), directionalAccuracy: 0.5 };
    expect((await qualityOf('cars')).versions[0]?.feedback).toEqual({ task: 'regression', received: 20, window: 10, figures });
    expect(await series()).toEqual({
      'model_feedback_total{model="cars",version="1"}': 20,
      'model_feedback_window_items{model="cars",version="1"}': 10,
      'model_mae{model="cars",version="1"}': 3.5,
      'model_rmse{model="cars",version="1"}': figures.rmse,
      'model_directional_accuracy_ratio{model="cars",version="1"}': 0.5,
    });
  });

  it('counts each outcome once when many tell at the same time', async () => {
    await start();
    await app.serve('iris', IRIS, IRIS_METADATA);
    const item = { model: 'iris', version: 1, prediction: 'setosa', actual: 'setosa' };
    await Promise.all(Array.from({ length: 50 }, (_, at) => tell(Array.from({ length: at + 1 }, () => item)).expect(200)));
    expect((await qualityOf('iris')).versions[0]?.feedback).toMatchObject({ received: 1275, window: 300 });
    expect(await series()).toMatchObject({ 'model_feedback_total{model="iris",version="1"}': 1275 });
  });

  it('is refused whole where one is wrong', async () => {
    await start();
    await app.serve('iris', IRIS, IRIS_METADATA);
    const good = { model: 'iris', version: 1, prediction: 'setosa', actual: 'setosa', features: [5, 3, 1, 0.2] };
    for (const [status, code, field, wrong] of WRONG) {
      const { body } = await tell([good, { ...good, ...wrong }]).expect(status);
      expect(body).toMatchObject({ code, field });
    }
    expect((await qualityOf('iris')).versions).toEqual([]);
    expect(await series()).toEqual({});
  });

  it('is refused for a text of a regressor, and for a model whose answers nobody can compare', async () => {
    await start();
    await app.serve('cars', CARS, CARS_METADATA);
    await app.serve('other', linear([[1]]), { task: 'other' });
    const { body: text } = await tell({ model: 'cars', version: 1, prediction: 20, actual: '20' }).expect(422);
    expect(text).toMatchObject({ code: 'FEEDBACK_MISMATCH', field: 'actual', expected: 'a number' });
    const { body: other } = await tell({ model: 'other', version: 1, prediction: 20, actual: 20 }).expect(422);
    expect(other).toMatchObject({ code: 'FEEDBACK_MISMATCH', field: 'model' });
  });

  it('is forgotten with its version, and may not be told of it any more', async () => {
    await start();
    await app.serve('iris', IRIS, IRIS_METADATA);
    await app.upload('iris', CARS, { metadata: CARS_METADATA }).expect(201);
    await tell({ model: 'iris', version: 1, prediction: 'setosa', actual: 'setosa' }).expect(200);
    await tell({ model: 'iris', version: 2, prediction: 1, actual: 1 }).expect(200);
    await app.predict('iris', { instances: [Array(8).fill(1)] }, '?version=2').expect(200);
    await app.request().delete('/api/v1/models/iris/versions/2').expect(204);
    expect((await qualityOf('iris')).versions.map(({ version }) => version)).toEqual([1]);
    expect(Object.keys(await series()).filter((name) => name.includes('version="2"'))).toEqual([]);
    await tell({ model: 'iris', version: 2, prediction: 1, actual: 1 }).expect(404);
    await app.request().post('/api/v1/models/iris/versions/2/undelete').expect(200);
    expect((await qualityOf('iris')).versions.map(({ version }) => version)).toEqual([1]);
    await tell({ model: 'iris', version: 2, prediction: 1, actual: 1 }).expect(200);
    expect((await qualityOf('iris')).versions[1]?.feedback).toMatchObject({ received: 1 });
  });

  it('is nothing that 10 000 names of models that there are not make grow', async () => {
    await start();
    await app.serve('iris', IRIS, IRIS_METADATA);
    const before = (await app.request().get('/metrics')).text.split('\n').filter((line) => line.startsWith('model_')).length;
    const headers = { 'Content-Type': 'application/json' };
    const post = async (model: string): Promise<number> => {
      const body = JSON.stringify({ model, version: 1, prediction: 1, actual: 1 });
      const answer = await fetch(`${app.origin}/api/v1/feedback`, { method: 'POST', headers, body });
      await answer.arrayBuffer();
      return answer.status;
    };
    for (let round = 0; round < 200; round++) {
      const statuses = await Promise.all(Array.from({ length: 50 }, (_, at) => post(`m-${round}-${at}`)));
      expect(new Set(statuses)).toEqual(new Set([404]));
    }
    expect((await app.request().get('/metrics')).text.split('\n').filter((line) => line.startsWith('model_'))).toHaveLength(before);
  }, 60_000);

  itInProcess('is told and shown by whom its models are for', async () => {
    const admin = 'the-key-of-the-environment';
    await start({ API_KEY: admin });
    await app.upload('iris', IRIS, { metadata: IRIS_METADATA }).set('X-API-Key', admin).expect(201);
    const office = new KeyOffice(join(folder, 'auth', 'keys.json'), folder, 'cli:test');
    const keyFor = async (models: readonly string[]): Promise<string> =>
      (await office.create({ name: 'of-the-test', scopes: ['predict', 'models:read'], models })).text;
    const [own, foreign] = [await keyFor(['iris']), await keyFor(['cars'])];
    const item = { model: 'iris', version: 1, prediction: 'setosa', actual: 'setosa' };
    await tell(item).expect(401);
    await until('the keys are known', async () => (await app.request().get('/docs-json').set('X-API-Key', foreign)).status === 200);
    await tell([item]).set('X-API-Key', foreign).expect(403);
    await tell([{ ...item, model: 'cars' }, item])
      .set('X-API-Key', foreign)
      .expect(403);
    await tell([item]).set('X-API-Key', own).expect(200);
    await app.request().get('/api/v1/models/iris/quality').set('X-API-Key', foreign).expect(403);
    await app.request().get('/api/v1/models/iris/quality').set('X-API-Key', own).expect(200);
  });
});

describeBothWays('the drift of inputs', (way) => {
  const ask = {
    native: (rows: readonly (readonly number[])[]) => app.predict('line', { instances: rows }),
    named: (rows: readonly (readonly number[])[]) => app.predict('line', { features: rows.map(([x]) => ({ x })) }),
    open: (rows: readonly (readonly number[])[]) =>
      app
        .request()
        .post('/v2/models/line/infer')
        .send({ inputs: [{ name: 'x', datatype: 'FP32', shape: [rows.length, 1], data: rows.flat() }] }),
    tensorflow: (rows: readonly (readonly number[])[]) => app.request().post('/v1/models/line:predict').send({ instances: rows }),
  };

  it.each(Object.keys(ask) as (keyof typeof ask)[])('is seen against the first inputs, in the dialect %s', async (dialect) => {
    await start(way);
    await app.serve('line', linear([[2]]), { featureNames: ['x'] });
    let asked = 0;
    await until('the watch is open', async () => {
      await ask[dialect]([[asked++ / 1000]]).expect(200);
      return (await driftOf('line'))?.sampled === 1;
    });
    const send = async (rows: readonly (readonly number[])[]): Promise<void> => {
      for (let at = 0; at < rows.length; at += 16) await ask[dialect](rows.slice(at, at + 16)).expect(200);
    };
    await send(spread(299));
    await until('the baseline is learned', async () => (await driftOf('line'))?.baseline === 'learned');
    await send(spread(300));
    expect(await driftOf('line')).toMatchObject({ rows: 300, features: [{ feature: 'x' }] });
    expect(await psiOf('line')).toBeLessThan(0.1);
    await send(spread(300, 0.4));
    expect(await psiOf('line')).toBeGreaterThan(0.25);
    const told = (await series())['model_input_drift_psi{model="line",version="1",feature="x"}'];
    expect(told).toBe(await psiOf('line'));
  });

  it('is seen against the baseline of the metadata, of the features that it names', async () => {
    await start(way);
    const baseline = { b: { edges: [0.25, 0.5, 0.75], shares: [0.25, 0.25, 0.25, 0.25] } };
    await app.serve('plane', linear([[1], [1]]), { featureNames: ['a', 'b'], baseline });
    await app.predict('plane', { instances: [[0, 0]] }).expect(200);
    await askEach('plane', spread(300).map(([b = 0], at) => [at, b])); // prettier-ignore
    expect(await driftOf('plane')).toMatchObject({ baseline: 'metadata', rows: 300, features: [{ feature: 'b' }] });
    expect(await psiOf('plane')).toBeLessThan(0.01);
    await askEach('plane', spread(300, 0.5).map(([b = 0], at) => [at, b])); // prettier-ignore
    expect(await psiOf('plane')).toBeGreaterThan(0.25);
  });
});

describe('the watch over inputs', () => {
  it('is of the features that are told with an outcome, too', async () => {
    await start();
    const baseline = { x: { edges: [0.5], shares: [0.5, 0.5] } };
    await app.serve('line', linear([[2]]), { featureNames: ['x'], baseline });
    const items = spread(300).map(([x], at) => ({
      model: 'line',
      version: 1,
      prediction: 1,
      actual: 1,
      features: at % 2 === 0 ? { x } : [x],
    }));
    await tell(items).expect(200);
    expect(await driftOf('line')).toMatchObject({ rows: 300 });
    expect(await psiOf('line')).toBeLessThan(0.01);
  });

  it('keeps the baseline that it learned over a restart', async () => {
    await start();
    await app.serve('line', linear([[2]]), { featureNames: ['x'] });
    await open('line');
    await askEach('line', spread(300));
    await until('the baseline is learned', async () => (await driftOf('line'))?.baseline === 'learned');
    await app.close();
    await start();
    await open('line');
    expect(await driftOf('line')).toMatchObject({ baseline: 'learned' });
    await askEach('line', spread(300, 0.5));
    expect(await psiOf('line')).toBeGreaterThan(0.25);
  });

  it.each([
    ['a setting', { QUALITY: 'off' }, {}],
    ['its metadata', {}, { drift: 'off' }],
  ])('is switched off by %s; what came true is counted all the same', async (_, env, metadata) => {
    await start(env);
    await app.serve('line', linear([[2]]), { featureNames: ['x'], ...metadata });
    await app.predict('line', { instances: [[1]] }).expect(200);
    await tell({ model: 'line', version: 1, prediction: 1, actual: 1, features: [1] }).expect(200);
    expect((await qualityOf('line')).versions).toEqual([expect.objectContaining({ feedback: expect.any(Object) as object, drift: null })]);
  });
});
