import { linear, slowLoop } from '../onnx/models';
import { TestApp } from './test-app';

const ONE = linear([[1], [1]]);
const TWO = linear([[2], [2]]);

let app: TestApp;

const get = (path: string) => app.request().get(path);
const post = (path: string, body?: object) => (body === undefined ? app.request().post(path) : app.request().post(path).send(body));
const predict = (query = '') => app.predict('sum', { instances: [[1, 2]] }, query);

async function start(): Promise<void> {
  app = await TestApp.start();
  await app.serve('sum', ONE);
  await app.upload('sum', TWO).expect(201);
  await app.request().put('/api/v1/models/sum/aliases/champion').send({ version: 2 }).expect(200);
}

describe('the server', () => {
  beforeAll(start);
  afterAll(() => app.close());

  it('is live and ready, in the words of every client', async () => {
    expect((await get('/v2/health/live').expect(200)).body).toEqual({ live: true });
    expect((await get('/v2/health/ready').expect(200)).body).toEqual({ ready: true, live: true });
  });

  it.each(['/v2', '/v2/'])('tells its name, its version and its extensions under %s', async (path) => {
    const { body } = await get(path).expect(200);
    expect(body).toMatchObject({ name: 'analytics-api', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
    expect(body.extensions).toEqual(expect.arrayContaining(['binary_tensor_data', 'classification', 'model_repository', 'statistics']));
  });

  it('names its models', async () => {
    expect((await get('/v2/models').expect(200)).body).toEqual({ models: ['sum'] });
  });

  it.each(['/v2/nothing', '/v2/models/sum/nothing', '/v2/models/sum/infer'])(
    'answers a path that it does not have in its clients’ words: GET %s',
    async (path) => {
      const { body, headers } = await get(path).expect(404);
      expect(headers['content-type']).toBe('application/json');
      expect(body).toMatchObject({ error: expect.stringContaining(`got GET ${path}`), code: 'ROUTE_NOT_FOUND' });
      expect(body).toHaveProperty('correlationId');
    },
  );
});

describe('a model', () => {
  beforeAll(start);
  afterAll(() => app.close());

  it('tells what its production version takes and gives', async () => {
    expect((await get('/v2/models/sum').expect(200)).body).toEqual({
      name: 'sum',
      versions: ['1', '2'],
      platform: 'onnx_onnxv1',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
      properties: { version: '1', stage: 'production', digest: expect.any(String), executable: expect.any(String) },
    });
  });

  it.each([
    ['2', '2'],
    ['champion', '2'],
    ['production', '1'],
  ])('tells it of version %s, a number or an alias', async (version, number) => {
    const { body } = await get(`/v2/models/sum/versions/${version}`).expect(200);
    expect(body.properties.version).toBe(number);
    expect((await get(`/v2/models/sum/versions/${version}/ready`).expect(200)).body).toEqual({ name: 'sum', ready: true });
  });

  it.each([
    ['/v2/models/nobody', 404, 'There is no model "nobody"'],
    ['/v2/models/nobody/ready', 404, 'There is no model "nobody"'],
    ['/v2/models/nobody/stats', 404, 'There is no model "nobody"'],
    ['/v2/models/sum/versions/7', 404, 'The model "sum" has no version 7: expected one of 1, 2, got 7'],
    ['/v2/models/sum/versions/7/ready', 404, 'The model "sum" has no version 7: expected one of 1, 2, got 7'],
    ['/v2/models/sum/versions/7/stats', 404, 'The model "sum" has no version 7: expected one of 1, 2, got 7'],
    ['/v2/models/sum/versions/loser', 404, 'The model "sum" has no alias "loser": expected one of production, champion'],
    ['/v2/models/sum/versions/0', 400, 'version is not a valid name: expected a whole number from 1 on, got "0"'],
    ['/v2/models/Sum', 400, expect.stringContaining('model is not a valid name: expected 1 to 64 of a-z')],
  ])('is missed with a sentence that says all: %s', async (path, status, error) => {
    const { body, headers } = await get(path).expect(status);
    expect(body.error).toEqual(error);
    expect(headers['content-type']).toBe('application/json');
  });

  it('is described as Triton would configure it', async () => {
    const CONFIG = {
      name: 'sum',
      platform: 'onnxruntime_onnx',
      backend: 'onnxruntime',
      version_policy: { specific: { versions: [1] } },
      max_batch_size: 0,
      input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [-1, 2] }],
      output: [{ name: 'y', data_type: 'TYPE_FP32', dims: [-1, 1] }],
      model_transaction_policy: { decoupled: false },
    };
    expect((await get('/v2/models/sum/config').expect(200)).body).toEqual(CONFIG);
    const { body } = await get('/v2/models/sum/versions/champion/config').expect(200);
    expect(body).toEqual({ ...CONFIG, version_policy: { specific: { versions: [2] } } });
  });

  it('is not ready without a version in production', async () => {
    await app.upload('new', ONE).expect(201);
    expect((await get('/v2/models/new/ready').expect(404)).body.error).toContain('No version of "new" is in production');
    expect((await get('/v2/models/new/versions/1/ready').expect(200)).body).toEqual({ name: 'new', ready: true });
  });
});

describe('the repository', () => {
  beforeEach(start);
  afterEach(() => app.close());

  const INDEX = [
    { name: 'sum', version: '1', state: 'READY' },
    { name: 'sum', version: '2', state: 'READY' },
  ];

  it('lists every version, to a GET and to a POST with a body or without', async () => {
    expect((await get('/v2/repository/index').expect(200)).body).toEqual(INDEX);
    expect((await post('/v2/repository/index').expect(200)).body).toEqual(INDEX);
    expect((await post('/v2/repository/index', { ready: false }).expect(200)).body).toEqual(INDEX);
    expect((await post('/v2/repository/index').set('Content-Type', 'text/plain').send('{"ready":true}').expect(200)).body).toEqual(INDEX);
  });

  it.each([[{ ready: 'yes' }], [{ ready: 1 }], [{ ready: null }]])('refuses to guess what is wanted: %j', async (body) => {
    const answer = await post('/v2/repository/index', body).expect(400);
    expect(answer.body.error).toBe(`ready must be true or false: expected true or false, got ${JSON.stringify(body.ready)}`);
  });

  it('takes a model out of service, and puts it back', async () => {
    await predict().expect(200);
    expect((await post('/v2/repository/models/sum/unload', { parameters: { unload_dependents: false } }).expect(200)).body).toEqual({
      name: 'sum',
      unload: true,
    });
    const refused = await predict().expect(503);
    expect(refused.body).toMatchObject({ code: 'MODEL_UNAVAILABLE', detail: expect.stringContaining('/v2/repository/models/<name>/load') });
    expect(refused.headers['retry-after']).toBeDefined();
    await predict('?version=2').expect(503);
    await predict('?alias=champion').expect(503);
    await get('/v2/models/sum/ready').expect(503);
    expect((await get('/v2/models').expect(200)).body).toEqual({ models: [] });
    expect((await get('/v2/repository/index').expect(200)).body).toEqual(
      INDEX.map((entry) => ({ ...entry, state: 'UNAVAILABLE', reason: 'unloaded' })),
    );
    expect((await get('/v2/repository/index?ready=true').expect(200)).body).toEqual([]);
    expect((await post('/v2/repository/models/sum/load', {}).expect(200)).body).toEqual({ name: 'sum', load: true });
    expect((await predict().expect(200)).headers['x-model-version']).toBe('1');
    expect((await get('/v2/repository/index?ready=true').expect(200)).body).toEqual(INDEX);
  });

  it('keeps it out of service when a version is promoted, and serves that one when it is loaded', async () => {
    await post('/v2/repository/models/sum/unload').expect(200);
    await app.request().post('/api/v1/models/sum/versions/2/promote').send({ stage: 'production' }).expect(200);
    await predict().expect(503);
    await post('/v2/repository/models/sum/load').expect(200);
    expect((await predict().expect(200)).headers['x-model-version']).toBe('2');
  });

  it('answers a call that runs while its model is unloaded', async () => {
    await app.serve('slow', slowLoop(1_000_000)); // half a second
    const running = app.predict('slow', { instances: [[1]] }).then(({ status }) => status);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await post('/v2/repository/models/slow/unload').expect(200);
    expect(await running).toBe(200);
    await app.predict('slow', { instances: [[1]] }).expect(503);
  });

  it('loads what is loaded, and unloads what is unloaded', async () => {
    for (const verb of ['load', 'load', 'unload', 'unload', 'load']) await post(`/v2/repository/models/sum/${verb}`).expect(200);
    await predict().expect(200);
  });

  it.each(['load', 'unload'])('says so where there is nothing to %s', async (verb) => {
    expect((await post(`/v2/repository/models/nobody/${verb}`).expect(404)).body.error).toContain('There is no model "nobody"');
  });

  it('does not load a model that has no version in production', async () => {
    await app.upload('new', ONE).expect(201);
    expect((await post('/v2/repository/models/new/load').expect(404)).body.error).toContain('No version of "new" is in production');
  });

  it.each([
    [{ parameters: { config: '{}' } }, 'parameters.config'],
    [{ parameters: { 'file:1/../../../../etc/cron.d/x': 'AAAA', config: '{}' } }, 'parameters.file:1/../../../../etc/cron.d/x'],
    [{ parameters: { path: '/models/other' } }, 'parameters.path'],
    [{ parameters: [] }, 'parameters'],
  ])('takes neither a path nor bytes nor settings: %j', async (body, field) => {
    const answer = await post('/v2/repository/models/sum/load', body).expect(400);
    expect(answer.body).toMatchObject({ code: 'MALFORMED_BODY', field });
    await post('/v2/repository/models/sum/unload', body).expect(400);
    await predict().expect(200);
  });
});

describe('the statistics', () => {
  beforeEach(start);
  afterEach(() => app.close());

  interface Stats {
    readonly name: string;
    readonly version: string;
    readonly last_inference: number;
    readonly inference_count: number;
    readonly execution_count: number;
    readonly inference_stats: Readonly<Record<string, { readonly count: number; readonly ns: number }>>;
    readonly batch_stats: readonly {
      readonly batch_size: number;
      readonly compute_infer: { readonly count: number; readonly ns: number };
    }[];
  }
  const stats = async (path: string): Promise<readonly Stats[]> => (await get(path).expect(200)).body.model_stats as readonly Stats[];

  it('are nought where nothing was asked', async () => {
    const [only, ...more] = await stats('/v2/models/stats');
    expect(more).toEqual([]);
    expect(only).toMatchObject({ name: 'sum', version: '1', inference_count: 0, execution_count: 0, last_inference: 0 });
    expect(only?.inference_stats['success']).toEqual({ count: 0, ns: 0 });
  });

  it('count calls, rows and failures of each version, and how long they took', async () => {
    const before = Date.now();
    await predict().expect(200);
    await app.predict('sum', { instances: [[1, 2], [3, 4], [5, 6]] }).expect(200); // prettier-ignore
    await predict('?version=2').expect(200);
    await app.predict('sum', { instances: [[1, 2, 3]] }).expect(422);
    await app.predict('nobody', { instances: [[1, 2, 3]] }).expect(404);
    const [one, two, ...more] = await stats('/v2/models/sum/stats');
    expect(more).toEqual([]);
    expect(one).toMatchObject({ version: '1', inference_count: 4, execution_count: 2, last_inference: expect.any(Number) });
    expect(one?.last_inference).toBeGreaterThanOrEqual(before);
    const counts = Object.fromEntries(Object.entries(one?.inference_stats ?? {}).map(([name, { count }]) => [name, count]));
    expect(counts).toEqual({
      success: 2,
      fail: 1,
      queue: 2,
      compute_input: 2,
      compute_infer: 2,
      compute_output: 2,
      cache_hit: 0,
      cache_miss: 2,
    });
    for (const name of ['success', 'fail', 'compute_input', 'compute_infer', 'compute_output']) {
      expect({ name, ns: one?.inference_stats[name]?.ns }).toEqual({ name, ns: expect.any(Number) });
      expect(one?.inference_stats[name]?.ns).toBeGreaterThan(0);
    }
    expect(one?.batch_stats.map(({ batch_size, compute_infer }) => [batch_size, compute_infer.count])).toEqual([[1, 1], [3, 1]]); // prettier-ignore
    expect(two).toMatchObject({ version: '2', inference_count: 1, execution_count: 1 });
    expect(await stats('/v2/models/sum/versions/champion/stats')).toEqual([two]);
    expect(await stats('/v2/models/stats')).toEqual([one, two]);
  });

  it('add up: the stages of a call take no longer than all of it', async () => {
    for (let call = 0; call < 20; call++) await predict().expect(200);
    const [one] = await stats('/v2/models/sum/stats');
    const ns = (name: string): number => one?.inference_stats[name]?.ns ?? Number.NaN;
    const stages = ns('queue') + ns('compute_input') + ns('compute_infer') + ns('compute_output');
    expect(stages).toBeLessThanOrEqual(ns('success'));
    expect(stages).toBeGreaterThan(0);
  });
});
