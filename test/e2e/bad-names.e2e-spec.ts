import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { linear } from '../onnx/models';
import { BAD_NAMES } from './bad-names';
import { HOST, message, sendRaw } from './raw-socket';
import { describeInProcess, freshFolder, TestApp } from './test-app';

const escaped = (text: string): string => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
/** Each bad name in several spellings: what a careless server decodes, joins or cuts (SEC-01). */
const CORPUS = [
  ...new Set(
    BAD_NAMES.flatMap((name) =>
      name === '' || name === 'stats' || name.length > 1000 || !name.isWellFormed()
        ? []
        : [escaped(name), escaped(escaped(name)), escaped(`iris/${name}`), escaped(`${name}/iris`)],
    ),
  ),
];
const BATCH = 20;

describeInProcess('a name that is none', () => {
  let app: TestApp;
  let above: string;
  const files = (): readonly string[] => readdirSync(above, { recursive: true, encoding: 'utf8' }).sort();
  beforeAll(async () => {
    above = freshFolder();
    app = await TestApp.start({ modelsDir: join(above, 'models') });
    await app.serve('iris', linear([[1]]));
  });
  afterAll(() => app.close());

  const status = async (line: string, more: readonly string[] = [], body = ''): Promise<number | undefined> =>
    (await sendRaw(app.origin, message([line, HOST, 'Connection: close', ...more], body), 5000)).statuses[0];

  it('is tried in three hundred spellings and more', () => {
    expect(CORPUS.length).toBeGreaterThan(300);
  });

  it.each([
    ['of a model', 'GET', (name: string) => `/api/v1/models/${name}`, ''],
    ['of a model that is called', 'POST', (name: string) => `/api/v1/predict/${name}`, '{"instances":[[1]]}'],
    ['of a model that is deleted', 'DELETE', (name: string) => `/api/v1/models/${name}`, ''],
    ['of a version', 'GET', (name: string) => `/api/v1/models/iris/versions/${name}/artifact`, ''],
    ['of a version that is promoted', 'POST', (name: string) => `/api/v1/models/iris/versions/${name}/promote`, '{"stage":"production"}'],
    ['of an alias', 'PUT', (name: string) => `/api/v1/models/iris/aliases/${name}`, '{"version":1}'],
  ])('%s is refused, and touches no file', async (_what, method, pathOf, body) => {
    const before = files();
    const more = body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${body.length}`];
    const wrong: string[] = [];
    for (let at = 0; at < CORPUS.length; at += BATCH) {
      await Promise.all(
        CORPUS.slice(at, at + BATCH).map(async (name) => {
          const answer = await status(`${method} ${pathOf(name)} HTTP/1.1`, more, body);
          if (answer !== 400) wrong.push(`${name}: ${answer}`);
        }),
      );
    }
    expect(wrong).toEqual([]);
    expect(files()).toEqual(before);
  });

  it('of an upload or of its file is refused, and leaves nothing', async () => {
    const before = files();
    const names = CORPUS.filter((_, at) => at % 10 === 0).map((name) => decodeURIComponent(name)).filter((name) => !/[\0\r\n"/]/.test(name)); // prettier-ignore
    for (const name of names) {
      await app.upload(name, linear([[2]])).expect(400);
      if (/^[A-Z]/i.test(name) && /^[\w.-]+$/.test(name)) continue; // a file may be called so
      const form = app.request().post('/api/v1/models').field('name', 'other');
      await form.attach('file', linear([[2]]), { filename: name, contentType: 'application/octet-stream' }).expect(400);
    }
    expect(files()).toEqual(before);
  });

  it('gets into no header (SEC-39)', async () => {
    for (const id of ['a\r\nX-Injected: 1', 'b\nX-Injected: 1', 'c%0d%0aX-Injected: 1', 'x'.repeat(65)]) {
      const { text } = await sendRaw(
        app.origin,
        message(['GET /api/v1/models/iris HTTP/1.1', HOST, 'Connection: close', `X-Correlation-Id: ${id}`]),
      );
      expect(text.split('\r\n\r\n', 1)[0]).not.toMatch(/^X-Injected/im);
      expect(text).toMatch(/^X-Correlation-Id: [0-9a-f-]{36}\r$/im);
    }
    const { text } = await sendRaw(
      app.origin,
      message([`GET /api/v1/models/${escaped('a\r\nX-Injected: 1')} HTTP/1.1`, HOST, 'Connection: close']),
    );
    expect(text).not.toMatch(/^X-Injected/im);
  });
});
