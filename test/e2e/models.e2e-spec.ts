import { createHash } from 'node:crypto';
import { classifierWithLabels, linear } from '../onnx/models';
import { TestApp } from './test-app';

const FIRST = linear([[1]]);
const SECOND = linear([[2]]);

describe('the registry', () => {
  let app: TestApp;
  beforeEach(async () => void (app = await TestApp.start()));
  afterEach(() => app.close());

  const promote = (model: string, version: number, stage = 'production', more: object = {}) =>
    app
      .request()
      .post(`/api/v1/models/${model}/versions/${version}/promote`)
      .send({ stage, reason: 'a test', ...more });
  const answerOf = async (model: string, query = ''): Promise<unknown> =>
    (await app.predict(model, { instances: [[10]] }, query).expect(200)).body.predictions[0].prediction;

  it('tells everything about a version that it gives', async () => {
    const metadata = { description: 'one line', tags: ['a', 'b'], task: 'classification', labels: ['x', 'y', 'z'] };
    const { body } = await app
      .upload('klass', classifierWithLabels(), { metadata })
      .expect(201)
      .expect('Location', '/api/v1/models/klass/versions/1');
    expect(body).toMatchObject({
      model: 'klass',
      version: 1,
      stage: 'staging',
      engine: 'onnx',
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      executable: expect.stringMatching(/^[0-9a-f]{64}$/),
      publishedBy: 'anonymous',
      metadata: { task: 'classification', labels: ['x', 'y', 'z'] },
      files: [
        {
          path: 'model.onnx',
          size: classifierWithLabels().length,
          sha256: createHash('sha256').update(classifierWithLabels()).digest('hex'),
        },
      ],
      signature: {
        inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
        outputs: [
          { name: 'label', datatype: 'INT64', shape: [-1] },
          { name: 'probabilities', datatype: 'FP32', shape: [-1, 3] },
        ],
      },
    });
    expect((await app.request().get('/api/v1/models/klass/versions/1').expect(200)).body).toEqual(body);
    const model = await app.request().get('/api/v1/models/klass').expect(200);
    const summary = {
      ...{ name: 'klass', description: 'one line', tags: ['a', 'b'], production: null, latest: 1, versionCount: 1, aliases: {} },
      ...{ createdAt: body.publishedAt, updatedAt: expect.stringMatching(/^\d{4}-.*Z$/) },
    };
    expect(model.body).toEqual({ ...summary, versions: [body], deletedVersions: [] });
    const list = await app.request().get('/api/v1/models').expect(200);
    expect(list.body).toEqual({ models: [summary], total: 1, next: null });
  });

  it('lists nothing before anything is there', async () => {
    expect((await app.request().get('/api/v1/models').expect(200)).body).toEqual({ models: [], total: 0, next: null });
  });

  it('never makes a new upload the default by itself', async () => {
    await app.serve('line', FIRST);
    await app.upload('line', SECOND).expect(201);
    expect(await answerOf('line')).toBe(10);
    expect(await answerOf('line', '?version=2')).toBe(20);
    expect(await answerOf('line', '?alias=production')).toBe(10);
  });

  it('switches with a promotion, and archives what it displaces', async () => {
    await app.serve('line', FIRST);
    await app.upload('line', SECOND).expect(201);
    await promote('line', 2).expect(200);
    expect(await answerOf('line')).toBe(20);
    const { body } = await app.request().get('/api/v1/models/line').expect(200);
    expect(body.production).toBe(2);
    expect(body.versions.map(({ stage }: { stage: string }) => stage)).toEqual(['archived', 'production']);
    await promote('line', 2).expect(200); // again is no error
    await promote('line', 1).expect(200); // and back
    expect(await answerOf('line')).toBe(10);
  });

  it('serves nothing once the production version has moved away', async () => {
    await app.serve('line', FIRST);
    await promote('line', 1, 'archived').expect(200);
    const { body } = await app.predict('line', { instances: [[1]] }).expect(404);
    expect(body.code).toBe('NO_PRODUCTION_VERSION');
    expect(await answerOf('line', '?version=1')).toBe(10);
  });

  it('gives an equal upload the version that is there, and still moves and describes it', async () => {
    const { body: first } = await app.upload('line', FIRST, { metadata: { description: 'old' } }).expect(201);
    const again = await app.upload('line', FIRST, { metadata: { description: 'new', tags: ['t'] }, stage: 'production' }).expect(200);
    expect(again.body).toEqual({ ...first, measured: expect.any(Object), stage: 'production' }); // measured again
    expect((await app.request().get('/api/v1/models/line')).body).toMatchObject({
      description: 'new',
      tags: ['t'],
      latest: 1,
      production: 1,
    });
  });

  it('makes a new version of an equal file with other metadata', async () => {
    await app.serve('line', FIRST, { featureNames: ['a'] });
    const { body } = await app.upload('line', FIRST, { metadata: { featureNames: ['b'] } }).expect(201);
    expect(body.version).toBe(2);
    await promote('line', 2, 'production', { force: true }).expect(200);
    await app.predict('line', { features: { b: 1 } }).expect(200);
    await app.predict('line', { features: { a: 1 } }, '?version=1').expect(200);
  });

  it('gives the version that is asked for, if it is free', async () => {
    expect((await app.upload('line', FIRST, { version: '7' }).expect(201)).body.version).toBe(7);
    expect((await app.upload('line', SECOND).expect(201)).body.version).toBe(8);
    const { body } = await app.upload('line', linear([[3]]), { version: '7' }).expect(409);
    expect(body.code).toBe('VERSION_TAKEN');
  });

  it('gives two uploads at once two versions', async () => {
    const models = [linear([[3]]), linear([[4]]), linear([[5]])];
    const answers = await Promise.all(models.map((model) => app.upload('line', model).expect(201)));
    expect(answers.map(({ body }) => body.version).sort()).toEqual([1, 2, 3]);
  });

  it('takes metadata from a file part too', async () => {
    const form = app
      .request()
      .post('/api/v1/models')
      .attach('metadata', Buffer.from('{"tags":["filed"]}'), 'metadata.json')
      .field('name', 'line');
    await form.attach('file', FIRST, 'model.onnx').expect(201);
    expect((await app.request().get('/api/v1/models/line')).body.tags).toEqual(['filed']);
  });

  it('never fails a call while versions are swapped under load', async () => {
    await app.serve('line', FIRST);
    await app.upload('line', SECOND).expect(201);
    let swapping = true;
    const answers: (readonly [unknown, string])[] = [];
    const load = async (): Promise<void> => {
      while (swapping) {
        const { body, headers } = await app.predict('line', { instances: [[10]] }).expect(200);
        answers.push([body.predictions[0].prediction, headers['x-model-version'] as string]);
      }
    };
    const callers = Array.from({ length: 4 }, load);
    for (let swap = 0; swap < 20; swap++) await promote('line', 1 + (swap % 2)).expect(200);
    swapping = false;
    await Promise.all(callers);
    expect(answers.length).toBeGreaterThan(20);
    expect(answers.filter(([prediction, version]) => prediction !== 10 * Number(version))).toEqual([]);
  });

  describe('going back', () => {
    const rollback = (model: string, body: object = {}) => app.request().post(`/api/v1/models/${model}/rollback`).send(body);

    it('brings back what was in production before, and once more what was before that', async () => {
      for (const factor of [1, 2, 3]) await app.serve('line', linear([[factor]]));
      const { body } = await rollback('line', { reason: 'off since noon' }).expect(200);
      expect(body).toMatchObject({ model: 'line', version: 2, stage: 'production' });
      expect(await answerOf('line')).toBe(20);
      await rollback('line').expect(200);
      expect(await answerOf('line')).toBe(10);
      const { body: refused } = await rollback('line').expect(409);
      expect(refused).toMatchObject({ code: 'NOTHING_TO_ROLL_BACK', expected: 'a past production version' });
      expect(await answerOf('line')).toBe(10);
    });

    it('brings back a version that was moved away', async () => {
      await app.serve('line', FIRST);
      await promote('line', 1, 'archived').expect(200);
      await rollback('line').expect(200);
      expect(await answerOf('line')).toBe(10);
    });

    it('refuses what it does not know, and a body with anything else in it', async () => {
      expect((await rollback('nobody').expect(404)).body).toMatchObject({ code: 'MODEL_NOT_FOUND' });
      await app.serve('line', FIRST);
      expect((await rollback('line', { version: 1 }).expect(400)).body).toMatchObject({ code: 'MALFORMED_BODY', field: 'body.version' });
    });
  });

  describe('aliases', () => {
    const point = (alias: string, version: unknown, model = 'line') =>
      app.request().put(`/api/v1/models/${model}/aliases/${alias}`).send({ version });

    it('name a version in predictions and views, wherever they point now', async () => {
      await app.serve('line', FIRST);
      await app.upload('line', SECOND).expect(201);
      expect((await point('champion', 1).expect(200)).body).toMatchObject({ version: 1, aliases: ['champion'] });
      expect(await answerOf('line', '?alias=champion')).toBe(10);
      await point('champion', 2).expect(200);
      await point('champion', 2).expect(200); // again is no error
      expect(await answerOf('line', '?alias=champion')).toBe(20);
      const { body } = await app.request().get('/api/v1/models/line').expect(200);
      expect(body.versions.map(({ aliases }: { aliases: readonly string[] }) => aliases)).toEqual([[], ['champion']]);
    });

    it('are gone when they are removed', async () => {
      await app.serve('line', FIRST);
      await point('champion', 1).expect(200);
      await app.request().delete('/api/v1/models/line/aliases/champion').expect(204);
      const { body } = await app.predict('line', { instances: [[1]] }, '?alias=champion').expect(404);
      expect(body).toMatchObject({ code: 'ALIAS_NOT_FOUND', expected: 'production' });
      expect((await app.request().delete('/api/v1/models/line/aliases/champion').expect(404)).body).toMatchObject({
        code: 'ALIAS_NOT_FOUND',
      });
    });

    it.each(['7', '42', 'production', 'staging', 'archived', 'Champion', 'a..b', '-a'])('cannot be called %s', async (alias) => {
      await app.serve('line', FIRST);
      expect((await point(alias, 1).expect(400)).body).toMatchObject({ code: 'INVALID_NAME', field: 'alias' });
    });

    it.each([
      [9, 404, 'VERSION_NOT_FOUND'],
      ['1', 400, 'MALFORMED_BODY'],
      [0, 400, 'MALFORMED_BODY'],
      [1.5, 400, 'MALFORMED_BODY'],
    ])('cannot point at %p', async (version, status, code) => {
      await app.serve('line', FIRST);
      expect((await point('champion', version).expect(status)).body).toMatchObject({ code });
    });

    it('of no model are none', async () => {
      expect((await point('champion', 1, 'nobody').expect(404)).body).toMatchObject({ code: 'MODEL_NOT_FOUND' });
    });
  });

  describe('of a caller who says what he saw (If-Match)', () => {
    const etagOf = async () => (await app.request().get('/api/v1/models/line').expect(200)).headers['etag'] as string;

    it('takes the change where nobody was faster, and tells the new state', async () => {
      await app.serve('line', FIRST);
      await app.upload('line', SECOND).expect(201);
      const etag = await etagOf();
      expect(etag).toMatch(/^"[0-9a-f-]{36}-\d+"$/);
      const { headers } = await promote('line', 2).set('If-Match', etag).expect(200);
      expect(headers['etag']).toBe(await etagOf());
      expect(headers['etag']).not.toBe(etag);
      await promote('line', 1)
        .set('If-Match', `"other-1", ${await etagOf()}`)
        .expect(200);
      await promote('line', 2).set('If-Match', '*').expect(200);
    });

    it.each([
      ['a promotion', () => promote('line', 2)],
      ['a rollback', () => app.request().post('/api/v1/models/line/rollback').send({})],
      ['an alias', () => app.request().put('/api/v1/models/line/aliases/champion').send({ version: 1 })],
      ['the removal of an alias', () => app.request().delete('/api/v1/models/line/aliases/rival')],
    ])('refuses %s where somebody was', async (_what, change) => {
      for (const model of [FIRST, SECOND, linear([[3]])]) await app.serve('line', model);
      const etag = await etagOf();
      await app.request().put('/api/v1/models/line/aliases/rival').send({ version: 2 }).expect(200);
      const { body } = await change().set('If-Match', etag).expect(412);
      expect(body).toMatchObject({ code: 'MODEL_CHANGED', field: 'If-Match', expected: await etagOf(), actual: etag });
      expect(await answerOf('line')).toBe(30);
    });

    it('lets exactly one of 50 promotions with the same tag through', async () => {
      await app.serve('line', FIRST);
      await app.upload('line', SECOND).expect(201);
      const etag = await etagOf();
      const answers = await Promise.all(Array.from({ length: 50 }, () => promote('line', 2).set('If-Match', etag)));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 49 }, () => 412)]);
    });
  });

  describe('the history of a model', () => {
    const historyOf = async (query = '', model = 'line') =>
      (await app.request().get(`/api/v1/models/${model}/history${query}`).expect(200)).body;

    it('tells who did what, when, and why, the newest first, and nothing of other models', async () => {
      await app.upload('line', FIRST, { metadata: { description: 'a line' } }).expect(201);
      await app.serve('other', SECOND);
      await promote('line', 1).set('X-Correlation-Id', 'promoted-by-hand').expect(200);
      const { events, next } = await historyOf();
      expect(next).toBeNull();
      expect(events.map(({ kind }: { kind: string }) => kind)).toEqual(['stage.changed', 'model.described', 'version.published']);
      const [{ seq, at, ...promoted }] = events;
      expect(promoted).toEqual({
        kind: 'stage.changed',
        actor: 'anonymous',
        correlationId: 'promoted-by-hand',
        version: 1,
        stage: 'production',
        reason: 'a test',
      });
      expect([seq, Date.parse(at) > 0]).toEqual([6, true]);
      expect(events[2]).toMatchObject({ digest: expect.stringMatching(/^[0-9a-f]{64}$/), version: 1 });
    });

    it('comes in pages', async () => {
      await app.upload('line', FIRST).expect(201);
      for (let turn = 0; turn < 5; turn++) await promote('line', 1, turn % 2 === 0 ? 'archived' : 'staging').expect(200);
      const all = (await historyOf()).events;
      const seen: object[] = [];
      for (let query = '?limit=2'; query !== '';) {
        const { events, next } = await historyOf(query);
        seen.push(...events);
        expect(events.length).toBeLessThanOrEqual(2);
        query = next === null ? '' : `?limit=2&before=${next}`;
      }
      expect(seen).toEqual(all);
      expect(seen).toHaveLength(6);
    });

    it.each(['?limit=0', '?limit=1001', '?limit=x', '?before=0', '?before=x'])('refuses %s', async (query) => {
      await app.upload('line', FIRST).expect(201);
      const { body } = await app.request().get(`/api/v1/models/line/history${query}`).expect(400);
      expect(body).toMatchObject({ code: 'INVALID_NAME', field: /limit/.test(query) ? 'limit' : 'before' });
    });

    it('of a model that was never there is none', async () => {
      await app.request().get('/api/v1/models/nobody/history').expect(404);
    });
  });

  describe('what a model is said to be', () => {
    const describeLine = (body: object) => app.request().patch('/api/v1/models/line').send(body);

    it('is changed member by member', async () => {
      await app.upload('line', FIRST, { metadata: { description: 'old', tags: ['a'] } }).expect(201);
      expect((await describeLine({ tags: ['b', 'c'] }).expect(200)).body).toMatchObject({ description: 'old', tags: ['b', 'c'] });
      const { body, headers } = await describeLine({ description: '' }).expect(200);
      expect(body).toMatchObject({ description: '', tags: ['b', 'c'] });
      await describeLine({ description: 'new' }).set('If-Match', '"gone-1"').expect(412);
      await describeLine({})
        .set('If-Match', headers['etag'] as string)
        .expect(200); // nothing to do
    });

    it.each([{ name: 'x' }, { description: 1 }, { tags: 'a' }, { tags: [''.padEnd(65, 'x')] }, { description: null }])(
      'refuses %j',
      async (body) => {
        await app.upload('line', FIRST).expect(201);
        expect((await describeLine(body).expect(400)).body).toMatchObject({ code: 'MALFORMED_BODY' });
      },
    );
  });
});
