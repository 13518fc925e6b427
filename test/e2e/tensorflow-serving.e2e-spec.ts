import { join } from 'node:path';
import { KeyOffice } from '../../src/auth/key-office';
import type { Datatype } from '../../src/runtime/tensor';
import { Chance } from '../crash/power-cut-random';
import { identity, linear } from '../onnx/models';
import { DTYPE } from '../onnx/onnx-writer';
import { parseAnswer, readNested, sameBits, writeNested } from '../tensors/json-client';
import { randomTensor } from '../tensors/random-tensor';
import { type Case, CASES, MODELS, TWINS } from './tensorflow-serving-cases';
import { describeEveryEngine, describeInProcess, freshFolder, TestApp } from './test-app';

const DATATYPES: Readonly<Record<Exclude<Datatype, 'FP16'>, keyof typeof DTYPE>> = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'string',
};
const TENSORS = 30; // each way
const { seed } = Chance;

describeEveryEngine('TensorFlow Serving', (way, engine) => {
  let app: TestApp;

  beforeAll(async () => {
    app = await TestApp.start({ env: { ...way, MAX_JSON_BYTES: '65536' } });
    for (const [name, model, metadata] of MODELS) await app.serve(name, (engine === 'tfjs' && TWINS[name]) || model, metadata);
    await app.upload('waiting', linear([[1]])).expect(201);
    await app.upload('waiting', linear([[2]])).expect(201);
    await app.request().put('/api/v1/models/line/aliases/champion').send({ version: 1 }).expect(200);
  });
  afterAll(() => app.close());

  const send = ({ method, path, body, headers = {} }: Case): Promise<Response> =>
    fetch(app.origin + path, { method: method ?? (body === undefined ? 'GET' : 'POST'), headers, ...(body !== undefined && { body: body as NonNullable<RequestInit['body']> }) }); // prettier-ignore

  for (const [what, cases] of Object.entries(CASES)) {
    it.each(cases.map((each) => [each.title, each] as const))(`${what}: %s`, async (_title, each) => {
      const response = await send(each);
      const text = await response.text();
      expect({ status: response.status, text }).toEqual({ status: each.status ?? 200, text: each.answer ?? expect.any(String) });
      expect(response.headers.get('content-type')).toMatch(each.error === undefined && each.body === undefined ? /^application\/json(; charset=utf-8)?$/ : /^application\/json$/); // prettier-ignore
      if (each.error !== undefined) expect(JSON.parse(text)).toMatchObject({ error: each.error, code: expect.any(String) });
      for (const [name, value] of Object.entries(each.answered ?? {})) expect(response.headers.get(name)).toBe(value);
    });
  }

  it('says in the head who answered', async () => {
    const { headers } = await app.request().post('/v1/models/line:predict').send({ instances: [[1, 2, 3, 4]] }).expect(200); // prettier-ignore
    expect(headers).toMatchObject({ 'x-model-version': '1', 'x-model-digest': expect.any(String), 'server-timing': expect.any(String) });
  });

  it('tells a model that was taken out of service as ended, and why', async () => {
    await app.request().post('/v2/repository/models/plain/unload').expect(200);
    const { body } = await app.request().get('/v1/models/plain').expect(200);
    const status = { error_code: 'UNAVAILABLE', error_message: expect.stringContaining('unloaded') };
    expect(body).toEqual({ model_version_status: [{ version: '1', state: 'END', status }], name: 'plain', ready: false });
    expect((await app.request().get('/v1/models').expect(200)).body.models).not.toContain('plain');
    await app
      .request()
      .post('/v1/models/plain:predict')
      .send({ instances: [1] })
      .expect(503);
    await app.request().post('/v2/repository/models/plain/load').expect(200);
    expect((await app.request().get('/v1/models/plain').expect(200)).body).toMatchObject({ ready: true });
  });

  describe(`a tensor (CRASH_SEED=${seed})`, () => {
    it.each(Object.entries(DATATYPES))('of %s comes back bit for bit', async (datatype, dtype) => {
      const name = `mirror-${dtype}`;
      await app.serve(name, identity(DTYPE[dtype], [null, null]));
      const chance = new Chance(seed);
      for (let round = 0; round < TENSORS * 2; round++) {
        const [asked, answered] = round % 2 === 0 ? ['instances', 'predictions'] : ['inputs', 'outputs'];
        const sent = randomTensor(chance, 'x', datatype as Datatype, [chance.whole(1, 4), chance.whole(1, 4)]);
        const body = `{"${asked}":${writeNested(sent)}}`;
        const text = await (await send({ title: '', path: `/v1/models/${name}:predict`, body })).text();
        const answer = parseAnswer(text, datatype.endsWith('INT64')) as Readonly<Record<string, unknown>>;
        if (!sameBits(sent, readNested(answer[answered], sent))) throw new Error(`${body} comes back as ${text}`);
      }
      expect(chance.seed).toBe(seed);
    });
  });
});

describeInProcess('TensorFlow Serving, with a key for some models', () => {
  it('lists those only', async () => {
    const folder = freshFolder();
    const office = new KeyOffice(join(folder, 'auth', 'keys.json'), folder, 'cli:test');
    const { text: key } = await office.create({ name: 'some', scopes: ['predict'], models: ['mine-*'] });
    const { text: all } = await office.create({ name: 'all', scopes: ['admin'], models: [] });
    const app = await TestApp.start({ modelsDir: folder });
    try {
      for (const name of ['mine-a', 'theirs']) await app.serve(name, linear([[1]])).set('X-API-Key', all);
      expect((await app.request().get('/v1/models').set('X-API-Key', key).expect(200)).body).toEqual({ models: ['mine-a'] });
      await app.request().get('/v1/models/mine-a').set('X-API-Key', key).expect(200);
      for (const path of ['', '/metadata', '/versions/1', '/labels/production', '/nothing']) {
        const { body } = await app.request().get(`/v1/models/theirs${path}`).set('X-API-Key', key);
        expect([path, body.status]).toEqual([path, path === '/nothing' ? 400 : 403]);
      }
    } finally {
      await app.close();
    }
  });
});
