import { setTimeout as sleep } from 'node:timers/promises';
import { failing } from '../onnx/models';
import { hangUp, post } from '../open-inference/post';
import { ANSWERED, LIMITS, REFUSED } from './open-inference-cases';
import { describeInProcess, type LogLine, logLines, TestApp } from './test-app';
import { CASES, MODELS } from './tensorflow-serving-cases';

interface Question {
  readonly path: string;
  readonly body: Buffer | string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
const ROWS = JSON.stringify({ instances: [[1, 2, 3, 4]] });

const bytesOf = (body: string | Buffer | object): string | Buffer =>
  typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
const OPEN_INFERENCE = [...Object.entries(REFUSED), ...Object.entries(ANSWERED)].flatMap(([group, cases]) =>
  cases.map(({ title, path = 'pair/infer', body, headers }): readonly [string, Question] => [
    `${group}: ${title}`,
    { path: `/v2/models/${path}`, body: bytesOf(body), ...(headers && { headers }) },
  ]),
);
const TENSORFLOW = Object.values(CASES)
  .flat()
  .flatMap(({ title, path, body, headers, method = 'POST' }): readonly (readonly [string, Question])[] =>
    body === undefined || method !== 'POST' ? [] : [[title, { path, body, ...(headers && { headers }) }]],
  );
const to = (path: string, more: Partial<Question> = {}): Question => ({ path, body: ROWS, headers: JSON_TYPE, ...more });
/** What looks like a prediction's path, and what comes before its handler. */
const DOOR: readonly (readonly [string, Question])[] = [
  ['the exact path', to('/api/v1/predict/line')],
  ['a version as a query', to('/api/v1/predict/line?version=1')],
  ['an empty query', to('/api/v1/predict/line?')],
  ['a slash at the end', to('/api/v1/predict/line/')],
  ['capital letters', to('/API/v1/predict/line')],
  ['a name in capital letters', to('/api/v1/predict/Line')],
  ['an escaped name', to('/api/v1/predict/lin%65')],
  ['a name that is no UTF-8', to('/api/v1/predict/%ff')],
  ['a name with dots', to('/api/v1/predict/..')],
  ['two slashes', to('/api/v1//predict/line')],
  ['a fragment', to('/api/v1/predict/line#1')],
  ['an absolute address', to('http://localhost/api/v1/predict/line')],
  ['no name', to('/api/v1/predict/')],
  ['a name too many', to('/api/v1/predict/line/line')],
  ['a key that is none', to('/api/v1/predict/line', { headers: { ...JSON_TYPE, 'X-API-Key': 'a-key-that-nobody-has' } })],
  ['a page of another site', to('/api/v1/predict/line', { headers: { ...JSON_TYPE, Origin: 'https://elsewhere.example' } })],
  ['a page of a listed site', to('/api/v1/predict/line', { headers: { ...JSON_TYPE, Origin: 'https://board.example' } })],
  ['another host', to('/api/v1/predict/line', { headers: { ...JSON_TYPE, Host: 'elsewhere.example' } })],
  ['a proxy that nobody believes', to('/api/v1/predict/line', { headers: { ...JSON_TYPE, 'X-Forwarded-For': '10.1.2.3' } })],
  ['100-continue', to('/api/v1/predict/line', { headers: { ...JSON_TYPE, Expect: '100-continue' } })],
  ['a body too large', to('/api/v1/predict/line', { body: `[${'1,'.repeat(40_000)}1]` })],
  ['no JSON', to('/api/v1/predict/line', { body: '{' })],
  ['no content type', to('/api/v1/predict/line', { headers: {} })],
  ['a deadline that is none', to('/v2/models/pair/infer', { headers: { 'X-Request-Deadline-Ms': 'soon' } })],
  ['the labels of a model', to('/v1/models/line/labels/champion:predict')],
  ['what is not offered', to('/v1/models/line:classify')],
];
/** Different for every answer. */
const VARIES = new Set(['date', 'x-correlation-id', 'server-timing']);
const TIMESTAMP = /(?<="timestamp":")[^"]*/;

// each application of one process writes to the same log: it tells them apart by the id
let asked = 0;

describeInProcess('a prediction that goes straight to its handler is answered as through the router:', () => {
  const apps: TestApp[] = [];
  const ENV = { ...LIMITS, CORS_ORIGINS: 'https://board.example', ALLOWED_HOSTS: '127.0.0.1' };
  beforeAll(async () => {
    for (const HTTP_DIRECT of ['on', 'off']) {
      const app = await TestApp.start({ env: { ...ENV, HTTP_DIRECT } });
      apps.push(app);
      for (const [name, model, metadata] of MODELS) await app.serve(name, model, metadata);
      await app.serve('index', failing());
      await app.request().put('/api/v1/models/line/aliases/champion').send({ version: 1 }).expect(200);
    }
  }, 60_000);
  afterAll(async () => {
    hangUp();
    for (const app of apps) await app.close();
  });

  async function ask(app: TestApp, { path, body, headers = {} }: Question) {
    const id = `asked-twice-${String(++asked).padStart(6, '0')}`;
    const { status, headers: told, body: answer } = await post(app.origin, body, { 'X-Correlation-Id': id, ...headers }, path);
    expect(told['x-correlation-id']).toBe(id);
    const stable = Object.fromEntries(Object.entries(told).filter(([name]) => !VARIES.has(name)));
    return {
      id,
      status,
      names: Object.keys(told).toSorted(),
      headers: stable,
      body: answer.toString('latin1').replaceAll(id, 'ID').replace(TIMESTAMP, ''),
    };
  }
  const lineOf = (id: string): LogLine | undefined =>
    logLines.findLast(({ correlationId, msg }) => correlationId === id && msg === 'request');

  it.each([...OPEN_INFERENCE, ...TENSORFLOW, ...DOOR])('%s', async (_title, question) => {
    const [{ id: one, ...direct }, { id: other, ...routed }] = [
      await ask(apps[0] as TestApp, question),
      await ask(apps[1] as TestApp, question),
    ];
    expect(direct).toEqual(routed);
    while (lineOf(one) === undefined || lineOf(other) === undefined) await sleep(2);
    const { correlationId: _one, ms: _ms, time: _time, ...line } = lineOf(one) as LogLine;
    expect(lineOf(other)).toMatchObject(line);
    expect(Object.keys(lineOf(other) as LogLine)).toEqual(Object.keys(lineOf(one) as LogLine));
  });

  it.each([
    '/api/v1/predict/line',
    '/v2/models/line/infer',
    '/v2/models/line/versions/1/infer',
    '/v1/models/line:predict',
    '/v1/models/line/versions/1:predict',
    '/v1/models/line/labels/champion:predict',
  ])('really goes there: %s', async (path) => {
    const seen = apps.map((app) => {
      const { router } = app.app.getHttpAdapter().getInstance() as unknown as { readonly router: { handle: () => void } };
      return jest.spyOn(router, 'handle');
    });
    for (const app of apps) await ask(app, to(path));
    expect(seen.map(({ mock }) => mock.calls.length)).toEqual([0, 1]);
    jest.restoreAllMocks();
  });
});
