import { BlobCollector } from '../../src/models/upkeep/blob-collector';
import { linear } from '../onnx/models';
import { itInProcess, TestApp } from './test-app';

const [FIRST, SECOND, THIRD] = [linear([[1]]), linear([[2]]), linear([[3]])];
/** Takes two features where the others take one. */
const WIDER = linear([[1], [1]]);

describe('the registry over HTTP', () => {
  let app: TestApp;
  beforeEach(async () => {
    app = await TestApp.start();
  });
  afterEach(() => app.close());

  const model = (path = '') => `/api/v1/models/line${path}`;
  const get = (path = '') => app.request().get(model(path));
  const promote = (version: number, more: object = {}) =>
    app
      .request()
      .post(model(`/versions/${version}/promote`))
      .send({ stage: 'production', ...more });
  const rollback = () => app.request().post(model('/rollback')).send({});
  const remove = (path = '') => app.request().delete(model(path));
  const undelete = (path = '') => app.request().post(model(`${path}/undelete`));
  const answer = async (query = ''): Promise<unknown> =>
    (await app.predict('line', { instances: [[10]] }, query).expect(200)).body.predictions[0].prediction;
  const etag = async (): Promise<string> => (await get().expect(200)).headers.etag as string;

  describe('the gates of production', () => {
    it('refuses a version that would break its callers, tells every difference, and serves on', async () => {
      await app.serve('line', FIRST, { featureNames: ['a'] });
      await app.upload('line', WIDER, { metadata: { featureNames: ['a', 'b'] } }).expect(201);
      const { body } = await promote(2).expect(409);
      expect(body).toMatchObject({
        code: 'SIGNATURE_CHANGED',
        field: 'input "x"',
        expected: 'FP32 [-1, 1]',
        actual: 'FP32 [-1, 2]',
        detail: expect.stringContaining('input "x": FP32 [-1, 1] -> FP32 [-1, 2]; featureNames: a -> a, b'),
      });
      expect((await get('/versions/2')).body.stage).toBe('staging');
      expect(await answer()).toBe(10);
    });

    it('lets through what is forced, and says so in the history', async () => {
      await app.serve('line', FIRST);
      await app.upload('line', WIDER).expect(201);
      await promote(2, { force: true, reason: 'they know' }).expect(200);
      const { body } = await get('/history').expect(200);
      expect(body.events[0]).toMatchObject({ kind: 'stage.changed', version: 2, forced: true, reason: 'they know' });
      await rollback().expect(200); // what was there before is never held up
      expect(await answer()).toBe(10);
    });

    it('keeps the version of an upload that may not enter production, and says where it is', async () => {
      await app.serve('line', FIRST);
      const { body } = await app.upload('line', WIDER, { stage: 'production' }).expect(409);
      expect(body).toMatchObject({ code: 'SIGNATURE_CHANGED', detail: expect.stringContaining('Version 2 of "line"') });
      expect((await get('/versions/2').expect(200)).body.stage).toBe('staging');
    });
  });

  describe('deleting', () => {
    beforeEach(async () => {
      await app.serve('line', FIRST);
      await app.upload('line', SECOND).expect(201);
    });

    it('takes a version out of sight and brings it back as it was', async () => {
      expect(await answer('?version=2')).toBe(20);
      await remove('/versions/2?reason=a%20mistake').expect(204);
      expect((await app.predict('line', { instances: [[1]] }, '?version=2').expect(404)).body).toMatchObject({
        code: 'VERSION_NOT_FOUND',
        detail: expect.stringContaining('was deleted at'),
      });
      const { body } = await get().expect(200);
      expect(body.versions.map(({ version }: { version: number }) => version)).toEqual([1]);
      expect(body.deletedVersions).toMatchObject([{ version: 2, stage: 'staging', deleted: { by: 'anonymous', reason: 'a mistake' } }]);
      const { at, keptUntil } = body.deletedVersions[0].deleted;
      expect(Date.parse(keptUntil) - Date.parse(at)).toBe(30 * 86_400_000);
      await remove('/versions/2').expect(404);
      expect((await undelete('/versions/2').expect(200)).body).toMatchObject({ version: 2, stage: 'staging' });
      expect(await answer('?version=2')).toBe(20);
      expect((await undelete('/versions/2').expect(409)).body.code).toBe('NOT_DELETED');
      expect((await undelete('/versions/9').expect(404)).body.code).toBe('VERSION_NOT_FOUND');
    });

    it('refuses what is in production or has an alias, and names the remedy', async () => {
      expect((await remove('/versions/1').expect(409)).body).toMatchObject({ code: 'VERSION_IN_USE', actual: 'it is in production' });
      await app.request().put(model('/aliases/champion')).send({ version: 2 }).expect(200);
      expect((await remove('/versions/2').expect(409)).body).toMatchObject({
        code: 'VERSION_IN_USE',
        actual: expect.stringContaining('"champion"'),
      });
      expect((await remove().expect(409)).body.code).toBe('VERSION_IN_USE');
      await remove('/aliases/champion').expect(204);
      await remove('/versions/2').expect(204);
    });

    it('never gives a number twice, and takes what is equal only to a deleted version for a new one', async () => {
      await remove('/versions/2').expect(204);
      expect((await app.upload('line', SECOND, { version: '2' }).expect(409)).body.code).toBe('VERSION_TAKEN');
      expect((await app.upload('line', SECOND).expect(201)).body.version).toBe(3);
    });

    it('deletes a model whole, and brings back what went with it', async () => {
      await app.upload('line', THIRD, { metadata: { description: 'three' } }).expect(201);
      await remove('/versions/3').expect(204);
      await promote(1, { stage: 'archived' }).expect(200);
      await remove().expect(204);
      expect((await get().expect(404)).body.detail).toContain('was deleted at');
      await app.predict('line', { instances: [[1]] }).expect(404);
      expect((await app.request().get('/api/v1/models')).body.total).toBe(0);
      expect((await app.request().get('/api/v1/models?deleted=true')).body).toMatchObject({
        total: 1,
        models: [{ name: 'line', deleted: {} }],
      });
      expect((await get('/history').expect(200)).body.events[0]).toMatchObject({ kind: 'model.deleted' });
      const { body } = await undelete().expect(200);
      expect(body).toMatchObject({ description: 'three', versions: [{ version: 1, stage: 'archived' }, { version: 2 }] });
      expect((await undelete().expect(409)).body.code).toBe('NOT_DELETED');
      await promote(1).expect(200);
      expect(await answer()).toBe(10);
    });

    it('begins anew under the name of a deleted model, with the next number', async () => {
      await promote(1, { stage: 'archived' }).expect(200);
      await app.request().patch(model()).send({ description: 'old' }).expect(200);
      await remove().expect(204);
      expect((await app.upload('line', FIRST).expect(201)).body.version).toBe(3);
      const { body } = await get().expect(200);
      expect(body).toMatchObject({ description: '', latest: 3, versionCount: 1 });
      expect(body.deletedVersions.map(({ version }: { version: number }) => version)).toEqual([1, 2]);
      await rollback().expect(409); // the old stack is not the new model's
      await undelete('/versions/2').expect(200);
      expect(await answer('?version=2')).toBe(20);
    });

    itInProcess('keeps the files of what may come back, and says when they are gone', async () => {
      const collect = (undeleteMs: number) => app.app.get(BlobCollector).collect('test', { minAgeMs: -1, undeleteMs });
      await remove('/versions/2').expect(204);
      expect((await collect(60_000)).condemned).toEqual([]);
      expect((await collect(-60_000)).condemned).toHaveLength(1);
      expect((await undelete('/versions/2').expect(409)).body.code).toBe('BYTES_COLLECTED');
      await app.upload('line', SECOND).expect(201); // the same bytes, under another name
      await undelete('/versions/2').expect(200); // and there they are again
      expect(await answer('?version=2')).toBe(20);
      expect((await collect(-60_000)).condemned).toEqual([]);
    });
  });

  describe('a request with a key of its own', () => {
    const KEY = { 'Idempotency-Key': 'order-66' };

    it('is done once, however often it comes', async () => {
      for (const file of [FIRST, SECOND, THIRD]) await app.upload('line', file, { stage: 'production' }).expect(201);
      for (let time = 0; time < 3; time++) expect((await rollback().set(KEY).expect(200)).body.version).toBe(2);
      expect((await get('/history')).body.events[0]).toMatchObject({ rollback: true, idempotencyKey: 'order-66', request: 'rollback' });
      expect((await rollback().expect(200)).body.version).toBe(1); // without a key it is another request
    });

    it('gives an upload again the answer that was lost, also after what it promoted was displaced', async () => {
      const upload = () => app.upload('line', FIRST, { stage: 'production' }).set(KEY);
      const first = await upload().expect(201);
      await app.upload('line', SECOND, { stage: 'production' }).expect(201);
      const again = await upload().expect(201);
      expect([first, again].map(({ headers }) => headers.location)).toEqual([model('/versions/1'), model('/versions/1')]);
      expect(await answer()).toBe(20);
    });

    it('is refused where another request came under the key before, or the key is none', async () => {
      await app.serve('line', FIRST);
      await app.upload('line', SECOND).expect(201);
      await promote(2).set(KEY).expect(200);
      expect((await promote(1).set(KEY).expect(422)).body).toMatchObject({
        code: 'IDEMPOTENCY_KEY_REUSED',
        expected: 'move 2 to production',
      });
      await promote(1).set('Idempotency-Key', 'two words').expect(400);
    });

    it('is answered alike where it was done under a condition that no longer holds', async () => {
      await app.serve('line', FIRST);
      await app.upload('line', SECOND).expect(201);
      const seen = await etag();
      for (let time = 0; time < 2; time++) await promote(2).set(KEY).set('If-Match', seen).expect(200);
      await promote(1).set('If-Match', seen).expect(412);
    });
  });

  it('lets one of fifty promotions with one ETag win', async () => {
    await app.upload('line', FIRST).expect(201);
    await app.upload('line', SECOND).expect(201);
    const seen = await etag();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => promote((at % 2) + 1).set('If-Match', seen)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 49 }, () => 412)]);
  });

  it('shows a model as it was', async () => {
    const tick = () => new Promise((done) => setTimeout(done, 5));
    const before = new Date().toISOString();
    await tick();
    await app.serve('line', FIRST);
    const one = new Date().toISOString();
    await tick();
    await app.upload('line', SECOND, { stage: 'production', metadata: { description: 'two' } }).expect(201);
    await app.request().put(model('/aliases/old')).send({ version: 1 }).expect(200);
    const two = new Date().toISOString();
    await tick();
    await promote(2, { stage: 'archived' }).expect(200);
    await remove('/aliases/old').expect(204);
    await remove().expect(204);

    expect((await get(`?at=${before}`).expect(404)).body.detail).toContain(`There was no model "line" at ${before}`);
    const then = (await get(`?at=${one}`).expect(200)).body;
    expect(then).toMatchObject({ production: 1, latest: 1, description: '', aliases: {} });
    const later = (await get(`?at=${two}`).expect(200)).body;
    expect(later).toMatchObject({ production: 2, description: 'two', aliases: { old: 1 } });
    expect(later.versions).toMatchObject([
      { version: 1, stage: 'archived', aliases: ['old'] },
      { version: 2, stage: 'production', aliases: [] },
    ]);
    await get(`?at=${new Date().toISOString()}`).expect(404);
    await get('?at=yesterday').expect(400);
  });

  it('lists what is wanted, in the wanted order, in pages', async () => {
    const names = ['alpha', 'beta', 'delta', 'gamma'];
    for (const name of names) await app.upload(name, FIRST, { metadata: { tags: [name.slice(0, 1), 'all'] } }).expect(201);
    await app.request().post('/api/v1/models/delta/versions/1/promote').send({ stage: 'production' }).expect(200);
    const list = async (query: string) => (await app.request().get(`/api/v1/models?${query}`).expect(200)).body;
    const listed = async (query: string): Promise<string[]> => (await list(query)).models.map(({ name }: { name: string }) => name);
    expect(await listed('')).toEqual(names);
    expect(await listed('sort=-name')).toEqual(names.toReversed());
    expect(await listed('sort=-updatedAt&limit=1')).toEqual(['delta']);
    expect(await listed('sort=createdAt')).toEqual(names);
    expect(await listed('search=TA')).toEqual(['beta', 'delta']);
    expect(await listed('tag=all,g')).toEqual(['gamma']);
    expect(await listed('production=true')).toEqual(['delta']);
    expect(await listed('production=false&limit=1000')).toEqual(['alpha', 'beta', 'gamma']);
    for (const sort of ['name', '-name', 'createdAt', '-updatedAt']) {
      const pages: string[] = [];
      for (let next: string | null = ''; next !== null;) {
        const page = await list(`sort=${sort}&limit=3${next && `&after=${encodeURIComponent(next)}`}`);
        expect(page.total).toBe(4);
        pages.push(...page.models.map(({ name }: { name: string }) => name));
        next = page.next;
      }
      expect(pages).toEqual(await listed(`sort=${sort}`));
    }
    for (const wrong of ['sort=size', 'limit=0', 'limit=1001', 'page=2', 'limit=1&limit=2', 'tag[x]=1'])
      expect((await app.request().get(`/api/v1/models?${wrong}`).expect(400)).body.code).toBe('MALFORMED_BODY');
  });
});
