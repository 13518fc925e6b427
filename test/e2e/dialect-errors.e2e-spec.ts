import { describeInProcess, TestApp } from './test-app';

const KEY = 'a key of sixteen and more'.replaceAll(' ', '-');

/** What refuses a request before any dialect hears of it, and with what status. */
const REFUSALS: readonly (readonly [name: string, headers: Readonly<Record<string, string>>, status: number, code: string])[] = [
  ['no key', {}, 401, 'UNAUTHENTICATED'],
  ['a wrong key', { 'X-API-Key': 'nobody-knows-this-key' }, 401, 'UNAUTHENTICATED'],
  ['two keys', { 'X-API-Key': KEY, Authorization: `Bearer ${KEY}` }, 400, 'KEY_MISPLACED'],
  ['a page of another site', { 'X-API-Key': KEY, Origin: 'https://elsewhere.example' }, 403, 'FOREIGN_ORIGIN'],
];

describeInProcess.each(['on', 'off'])('an error at the door (HTTP_DIRECT=%s)', (direct) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.start({ env: { API_KEY: KEY, HTTP_DIRECT: direct } });
  });
  afterAll(() => app.close());

  it.each(REFUSALS)('is told in the words of the Open Inference Protocol, never compressed: %s', async (_name, headers, status, code) => {
    const answer = await app.request().post('/v2/models/iris/infer').set(headers).set('Accept-Encoding', 'gzip').send('{}');
    expect([answer.status, answer.headers['content-type'], answer.headers['content-encoding']]).toEqual([
      status,
      'application/json',
      undefined,
    ]);
    expect(answer.body).toMatchObject({ error: expect.any(String), code, status, correlationId: answer.headers['x-correlation-id'] });
    expect(answer.body).not.toHaveProperty('detail');
  });

  it.each(REFUSALS)('is told in the words of TensorFlow Serving: %s', async (_name, headers, status, code) => {
    const answer = await app.request().post('/v1/models/iris:predict').set(headers).send('{}');
    expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/json']);
    expect(answer.body).toMatchObject({ error: expect.any(String), code });
  });

  it.each(['/api/v1/models', '/v2x', '/v12/models', '/v3'])('is a problem where no other dialect is spoken: %s', async (path) => {
    const { headers, body } = await app.request().get(path);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(body).toMatchObject({ detail: expect.any(String) });
    expect(body).not.toHaveProperty('error');
  });

  it('keeps the challenge of a 401', async () => {
    await app
      .request()
      .get('/v2/models')
      .expect(401)
      .expect('WWW-Authenticate', /^Bearer /);
  });

  it.each([
    ['get', '/v2/models/iris/infer', 404],
    ['get', '/v2/trace/setting', 404],
    ['post', '/v2/systemsharedmemory/region/x/register', 404],
    ['get', '/v1/nothing', 400],
    ['post', '/v1/models/iris:explain', 400],
    ['delete', '/V1/models/iris', 400],
  ] as const)('is told for what there is not: %s %s', async (method, path, status) => {
    const { body, headers } = await app.request()[method](path).expect(status);
    expect(headers['content-type']).toBe('application/json');
    expect(body).toMatchObject({ error: expect.stringContaining(path), code: 'ROUTE_NOT_FOUND', status });
  });
});
