import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { linear, padded } from '../onnx/models';
import { AMBIGUOUS } from './ambiguous-requests';
import { HOST, message, open, sendRaw } from './raw-socket';
import { describeInProcess, TestApp } from './test-app';

const FORM = 'multipart/form-data; boundary=X';

describeInProcess('the limits of the edge', () => {
  let app: TestApp;
  afterEach(() => app.close());
  const start = async (env: Readonly<Record<string, string>> = {}): Promise<void> => void (app = await TestApp.start({ env }));
  const send = (lines: readonly string[], body = '', waitMs = 1000) => sendRaw(app.origin, message(lines, body), waitMs);
  const alive = () => app.request().get('/health/live').expect(200);

  describe('what takes its time', () => {
    it('closes connections whose headers do not arrive, and answers others meanwhile (SEC-25)', async () => {
      await start({ HEADER_SECONDS: '1' });
      const slow = Array.from({ length: 100 }, () => {
        const socket = open(app.origin);
        socket.write('GET /health/live HTTP/1.1\r\n');
        const drip = setInterval(() => socket.write('a'), 100);
        return { socket, closed: once(socket, 'close').finally(() => clearInterval(drip)), said: once(socket, 'data') };
      });
      for (let time = 0; time < 5; time++) await alive();
      expect(String((await slow[0]!.said)[0])).toMatch(/^HTTP\/1\.1 408 [^]*"code":"HEADERS_TOO_SLOW"/);
      await Promise.all(slow.map(({ closed }) => closed));
      await alive();
    });

    it.each([
      ['a JSON body', '/api/v1/predict/line', 'application/json', '{"instances"'],
      ['a form', '/api/v1/models', FORM, '--X\r\nContent-Disposition: form-data; name="na'],
    ])(
      'refuses %s that drips in, and closes the connection (SEC-26)',
      async (_what, path, type, begin) => {
        await start({ BODY_SECONDS: '1' });
        const socket = open(app.origin);
        socket.write(message([`POST ${path} HTTP/1.1`, HOST, `Content-Type: ${type}`, 'Content-Length: 100000'], begin));
        const drip = setInterval(() => socket.write(' '), 50);
        const [answer] = await once(socket, 'data');
        expect(String(answer)).toMatch(/^HTTP\/1\.1 408 [^]*Connection: close[^]*"code":"BODY_TOO_SLOW"/);
        await once(socket, 'close');
        clearInterval(drip);
      },
      20_000,
    );

    it('lets a form take its time while enough of it comes', async () => {
      await start({ BODY_SECONDS: '1' });
      const model = linear([[1]]);
      const head =
        '--X\r\nContent-Disposition: form-data; name="name"\r\n\r\nslow\r\n--X\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{';
      const tail = Buffer.concat([
        Buffer.from('}\r\n--X\r\nContent-Disposition: form-data; name="file"; filename="m.onnx"\r\n\r\n'),
        model,
        Buffer.from('\r\n--X--\r\n'),
      ]);
      const socket = open(app.origin);
      const spaces = 10;
      const length = head.length + spaces * 1024 + tail.length;
      socket.write(message(['POST /api/v1/models HTTP/1.1', HOST, `Content-Type: ${FORM}`, `Content-Length: ${length}`], head));
      for (let at = 0; at < spaces; at++) {
        await sleep(250);
        socket.write(' '.repeat(1024));
      }
      socket.write(tail);
      const [answer] = await once(socket, 'data');
      expect(String(answer)).toMatch(/^HTTP\/1\.1 201 /);
      socket.destroy();
    });

    it('cuts who leaves an answer unread (SEC-26)', async () => {
      await start({ UNREAD_SECONDS: '1' });
      await app.upload('large', padded(32 * 2 ** 20)).expect(201);
      const socket = open(app.origin);
      socket.write(message(['GET /api/v1/models/large/versions/1/artifact HTTP/1.1', HOST]));
      await once(socket, 'readable'); // and nothing is read
      await sleep(4000);
      let bytes = 0;
      socket.on('data', (part: Buffer) => (bytes += part.length));
      await once(socket, 'close');
      expect(bytes).toBeLessThan(16 * 2 ** 20);
      await alive();
    }, 20_000);

    it('lets a caller wait for its answer longer than it may leave one unread', async () => {
      await start({ UNREAD_SECONDS: '1', KEEP_ALIVE_SECONDS: '5' });
      const socket = open(app.origin);
      socket.write(message(['GET /health/live HTTP/1.1', HOST]));
      await once(socket, 'data');
      await sleep(2500);
      socket.write(message(['GET /health/live HTTP/1.1', HOST]));
      expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /);
      socket.destroy();
    });
  });

  describe('a body that waits to be asked for', () => {
    const EXPECTING = [
      'POST /api/v1/predict/line HTTP/1.1',
      HOST,
      'Content-Type: application/json',
      'Expect: 100-continue',
      'Connection: close',
    ];
    const BODY = '{"instances":[[21]]}';

    it('is asked for when it is wanted', async () => {
      await start();
      await app.serve('line', linear([[2]]));
      const socket = open(app.origin);
      socket.write(message([...EXPECTING, `Content-Length: ${BODY.length}`]));
      expect(String((await once(socket, 'data'))[0])).toBe('HTTP/1.1 100 Continue\r\n\r\n');
      socket.write(BODY);
      expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 [^]*"prediction":42/);
      await once(socket, 'close');
    });

    it.each([
      ['without a key', 401, ['Content-Length: 10'], { API_KEY: 'a-key-of-sixteen-or-more' }],
      ['that is too large', 413, ['Content-Length: 999999999'], {}],
    ])('is not asked for %s', async (_what, status, more, env) => {
      await start(env);
      const { statuses } = await send([...EXPECTING, ...more], '', 2000);
      expect(statuses).toEqual([status]);
    });
  });

  describe('how much there may be', () => {
    it('has so many connections for one address and no more, and room again when they close (SEC-28)', async () => {
      await start({ MAX_CONNECTIONS_PER_ADDRESS: '5' });
      const sockets = Array.from({ length: 5 }, () => open(app.origin));
      for (const socket of sockets) {
        socket.write(message(['GET /health/live HTTP/1.1', HOST]));
        await once(socket, 'data');
      }
      expect(await send(['GET /health/live HTTP/1.1', HOST])).toMatchObject({ text: '', closed: true });
      await Promise.all(sockets.map((socket) => once(socket.destroy(), 'close')));
      await sleep(100);
      await alive();
    });

    it('has so many connections in all and no more (SEC-28)', async () => {
      await start({ MAX_CONNECTIONS: '3' });
      const sockets = Array.from({ length: 3 }, () => open(app.origin));
      for (const socket of sockets) {
        socket.write(message(['GET /health/live HTTP/1.1', HOST]));
        await once(socket, 'data');
      }
      expect(await send(['GET /health/live HTTP/1.1', HOST])).toMatchObject({ text: '', closed: true });
      for (const socket of sockets) socket.destroy();
    });

    it('asks for another connection after so many requests, and takes no more on this one (SEC-28)', async () => {
      await start({ MAX_REQUESTS_PER_CONNECTION: '3' });
      const { statuses, text } = await sendRaw(app.origin, message(['GET /health/live HTTP/1.1', HOST]).repeat(4));
      expect(statuses).toEqual([200, 200, 200, 503]);
      expect(text.split('HTTP/1.1 200').map((answer) => answer.includes('Connection: close'))).toEqual([false, false, false, true]);
    });

    it('answers ten thousand requests that were sent without waiting for an answer (SEC-28)', async () => {
      await start({ MAX_REQUESTS_PER_CONNECTION: '0' });
      const last = message(['GET /health/live HTTP/1.1', HOST, 'Connection: close']);
      const { statuses } = await sendRaw(app.origin, message(['GET /health/live HTTP/1.1', HOST]).repeat(9999) + last, 30_000);
      expect(statuses).toHaveLength(10_000);
      expect(new Set(statuses)).toEqual(new Set([200]));
    }, 40_000);

    it('refuses a fifth upload of one caller while four run, and has room again after them', async () => {
      await start({ MAX_UPLOADS_PER_KEY: '4' });
      const begin = message(['POST /api/v1/models HTTP/1.1', HOST, `Content-Type: ${FORM}`, 'Content-Length: 100'], '--X\r\n');
      const sockets = Array.from({ length: 4 }, () => open(app.origin));
      for (const socket of sockets) socket.write(begin);
      await sleep(300);
      const { body, headers } = await app.upload('line', linear([[1]])).expect(429);
      expect(body.code).toBe('TOO_MANY_UPLOADS');
      expect(headers['retry-after']).toBe('5');
      await Promise.all(sockets.map((socket) => once(socket.destroy(), 'close')));
      await sleep(300);
      await app.upload('line', linear([[1]])).expect(201);
    });

    it('says how many requests are left, refuses what is over, and never a probe', async () => {
      await start({ RATE_LIMIT_PER_SECOND: '5' });
      const answers = await Promise.all(Array.from({ length: 12 }, () => app.request().get('/api/v1/models')));
      const refused = answers.filter(({ status }) => status === 429);
      expect(refused.length).toBeGreaterThanOrEqual(2); // the window may end in between
      expect(refused[0]?.body.code).toBe('TOO_MANY_REQUESTS');
      expect(refused[0]?.headers).toMatchObject({
        'retry-after': '1',
        'ratelimit-limit': '5',
        'ratelimit-remaining': '0',
        'ratelimit-reset': '1',
      });
      await Promise.all(Array.from({ length: 20 }, alive));
      await sleep(1100);
      const { headers } = await app.request().get('/api/v1/models').expect(200);
      expect(headers).toMatchObject({ 'ratelimit-limit': '5', 'ratelimit-remaining': '4' });
    });

    it.each([
      ['nobody is trusted', '', [200, 429]],
      ['its sender is trusted', '127.0.0.0/8', [200, 200]],
    ])('counts by X-Forwarded-For only where %s (SEC-29)', async (_who, proxies, expected) => {
      await start({ RATE_LIMIT_PER_SECOND: '1', TRUSTED_PROXIES: proxies });
      await sleep(50);
      const call = (address: string) => app.request().get('/api/v1/models').set('X-Forwarded-For', address).set('X-User', 'root');
      const statuses = (await Promise.all([call('192.0.2.1'), call('192.0.2.2')])).map(({ status }) => status);
      expect(statuses.toSorted()).toEqual(expected);
    });

    it('refuses headers that are too large in the form of every other error (SEC-41)', async () => {
      await start();
      for (const lines of [
        [`GET /${'a'.repeat(20_000)} HTTP/1.1`, HOST],
        ['GET / HTTP/1.1', HOST, `X-Long: ${'a'.repeat(20_000)}`],
      ]) {
        const { statuses, text, closed } = await send(lines);
        expect(statuses).toEqual([431]);
        expect(text).toMatch(/Content-Type: application\/problem\+json[^]*"code":"HEADERS_TOO_LARGE"/);
        expect(closed).toBe(true);
      }
    });

    it.each([
      ['says that it is', ['Content-Length: 2000000'], '{'],
      ['is, in chunks', ['Transfer-Encoding: chunked'], `10000\r\n${' '.repeat(65_536)}\r\n`.repeat(20)],
    ])('refuses a JSON body that %s too large before the rest is read (SEC-23)', async (_how, headers, body) => {
      await start({ MAX_JSON_BYTES: '1048576' });
      await app.serve('line', linear([[1]]));
      const { statuses, text } = await send(
        ['POST /api/v1/predict/line HTTP/1.1', HOST, 'Content-Type: application/json', ...headers],
        body,
        2000,
      );
      expect(statuses).toEqual([413]);
      expect(text).toContain('"code":"BODY_TOO_LARGE"');
    });

    it('reads a body of a hundred thousand chunks of one byte', async () => {
      await start();
      await app.serve('line', linear([[1]]));
      const body = `{"instances":[[1]]${' '.repeat(100_000)}}`;
      const chunks = `${Array.from(body, (byte) => `1\r\n${byte}\r\n`).join('')}0\r\n\r\n`;
      const lines = [
        'POST /api/v1/predict/line HTTP/1.1',
        HOST,
        'Content-Type: application/json',
        'Transfer-Encoding: chunked',
        'Connection: close',
      ];
      expect((await send(lines, chunks, 20_000)).statuses).toEqual([200]);
    }, 30_000);
  });
});

describe('the edge', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.start();
    await app.serve('line', linear([[1]]));
  });
  afterAll(() => app.close());
  const send = (lines: readonly string[], body = '') => sendRaw(app.origin, message(lines, body));

  describe('what can be read in two ways (SEC-27)', () => {
    it.each(AMBIGUOUS)('answers %s once at most, and closes the connection', async (_what, lines, body) => {
      const { statuses, closed, text } = await send([...lines, 'Content-Type: application/json'], body);
      expect(text).not.toContain('/smuggled');
      expect(statuses.length).toBeLessThanOrEqual(1);
      for (const status of statuses) expect(status).toBeGreaterThanOrEqual(400);
      expect(closed).toBe(true);
    });

    it('does not take a lone line feed for the end of a header', async () => {
      const { statuses, closed } = await sendRaw(app.origin, 'GET /health/live HTTP/1.1\nHost: localhost\n\n');
      expect(closed).toBe(true);
      expect(statuses).toEqual([400]);
    });
  });

  describe('who is meant (SEC-40, SEC-41)', () => {
    it.each([
      ['no host', ['GET /health/live HTTP/1.1'], 400],
      ['two hosts', ['GET /api/v1/models HTTP/1.1', HOST, 'Host: evil.example'], 400],
      ['a host that is none', ['GET /api/v1/models HTTP/1.1', 'Host: a b'], 421],
      ['a host with somebody in it', ['GET /api/v1/models HTTP/1.1', 'Host: localhost@evil.example'], 421],
      ['an empty host', ['GET /api/v1/models HTTP/1.1', 'Host:'], 421],
      ['an absolute address', ['GET http://localhost/health/live HTTP/1.1', HOST], 200],
      ['an absolute address of another host', ['GET http://evil.example/api/v1/models HTTP/1.1', HOST], 400],
      ['a star', ['OPTIONS * HTTP/1.1', HOST], 204],
      ['bytes that are no ASCII', ['GET /api/v1/models/\u00e9 HTTP/1.1', HOST], 400],
      ['a path that is not UTF-8', ['GET /api/v1/models/%ff HTTP/1.1', HOST], 400],
      ['an old version of HTTP without a host', ['GET /health/live HTTP/1.0'], 200],
    ])('answers %s (%#)', async (_what, lines, status) => {
      expect((await send([...lines, 'Connection: close'])).statuses).toEqual([status]);
      await app.request().get('/health/live').expect(200);
    });
  });

  describe('methods (SEC-33)', () => {
    it.each(['TRACE', 'CONNECT', 'PROPFIND', 'PURGE', 'BREW', 'get'])('knows no %s', async (method) => {
      const { statuses } = await send([`${method} /api/v1/models HTTP/1.1`, HOST, 'Connection: close']);
      expect([[], [400], [404], [405]]).toContainEqual(statuses);
    });

    it('lets nobody write another method into a header', async () => {
      for (const name of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'])
        await app.request().get('/api/v1/models/line').set(name, 'DELETE').expect(200);
      await app.request().get('/api/v1/models/line?_method=DELETE').expect(200);
    });

    it('answers HEAD as GET, without a body', async () => {
      for (const path of [
        '/health',
        '/health/live',
        '/metrics',
        '/docs',
        '/docs-json',
        '/api/v1/models',
        '/api/v1/models/line',
        '/api/v1/models/line/versions/1',
        '/api/v1/models/line/history',
        '/api/v1/models/line/versions/1/artifact',
      ]) {
        const [get, head] = [await app.request().get(path), await app.request().head(path)];
        expect({ path, status: head.status, type: head.headers['content-type'] }).toEqual({
          path,
          status: get.status,
          type: get.headers['content-type'],
        });
        expect(head.text ?? '').toBe('');
      }
      await app.request().head('/api/v1/predict/line').expect(404);
    });
  });

  it('tells browsers to guess nothing, frame nothing and run nothing, whatever it answers (SEC-35)', async () => {
    const answers = await Promise.all([
      app.request().get('/docs'),
      app.request().get('/api/v1/models'),
      app.request().get('/nowhere'),
      app.request().post('/api/v1/predict/line').send('{'),
      app.predict('line', { instances: [[1]] }),
      app.request().get('/api/v1/models/line/versions/1/artifact'),
    ]);
    for (const { headers } of answers) {
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer' });
      expect(headers['content-security-policy']).toContain("default-src 'self'");
      expect(headers['x-powered-by']).toBeUndefined();
    }
    expect(answers[5]?.headers['content-disposition']).toBe('attachment; filename="model.onnx"');
  });

  it.each([
    ['promotion', 'post', '/versions/1/promote', { stage: 'production' }],
    ['rollback', 'post', '/rollback', {}],
    ['description', 'patch', '', { description: 'x' }],
    ['alias', 'put', '/aliases/champion', { version: 1 }],
  ] as const)('takes no member that a %s does not have (SEC-22)', async (_what, method, path, good) => {
    for (const member of ['id', 'sha256', 'digest', 'state', 'createdAt', 'owner', 'actor', 'seq', 'name', 'constructor', '__proto__']) {
      const body = JSON.stringify(good).replace(/\}$/, `${Object.keys(good).length > 0 ? ',' : ''}"${member}":"x"}`);
      const answer = await app.request()[method](`/api/v1/models/line${path}`).set('Content-Type', 'application/json').send(body);
      expect({ member, status: answer.status, code: answer.body.code }).toEqual({
        member,
        status: 400,
        code: member === '__proto__' ? 'MALFORMED_JSON' : 'MALFORMED_BODY',
      });
    }
  });

  it.each(['text/plain', 'application/json; charset=utf-7', 'application/json\ta', 'application/json, text/html', 'application/jsonp', ''])(
    'reads no JSON that is called %j (SEC-21)',
    async (type) => {
      for (const path of ['/api/v1/predict/line', '/api/v1/models/line/rollback', '/api/v1/models/line/versions/1/promote']) {
        const lines = [
          `POST ${path} HTTP/1.1`,
          HOST,
          'Content-Length: 2',
          'Connection: close',
          ...(type === '' ? [] : [`Content-Type: ${type}`]),
        ];
        expect((await send(lines, '{}')).statuses).toEqual([415]);
      }
      const twice = [
        'POST /api/v1/predict/line HTTP/1.1',
        HOST,
        'Content-Length: 2',
        'Connection: close',
        'Content-Type: application/json',
        'Content-Type: application/json',
      ];
      expect((await send(twice, '{}')).statuses).toEqual([415]);
    },
  );
});
