import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { text } from 'node:stream/consumers';
import { linear } from '../onnx/models';
import { Browser, describeWithBrowser } from './browser';
import { describeInProcess, logLines, TestApp } from './test-app';

const KEY = 'the-key-of-the-environment';

let app: TestApp;
afterEach(() => app.close());

const promote = (headers: Readonly<Record<string, string>>): ReturnType<ReturnType<TestApp['request']>['post']> =>
  app.request().post('/api/v1/models/line/versions/1/promote').set(headers).send({ stage: 'production' });

describeInProcess('a request of a page', () => {
  const own = (): { Origin: string; Host: string } => ({ Origin: app.origin, Host: new URL(app.origin).host });

  describe.each([
    ['without keys', {}],
    ['with AUTH_MODE=none', { AUTH_MODE: 'none' }],
    ['with a key', { API_KEY: KEY }],
  ])('%s', (_how, env: Readonly<Record<string, string>>) => {
    it('of another site changes nothing', async () => {
      app = await TestApp.start({ env });
      const key = env['API_KEY'] === undefined ? {} : { 'X-API-Key': KEY };
      for (const foreign of [
        { Origin: 'https://evil.example' },
        { Origin: 'null' },
        { Origin: 'nonsense' },
        { Origin: `${app.origin}.evil.example` },
        { Origin: app.origin.replace('127.0.0.1', 'localhost') },
        { Origin: app.origin.replace(/\d+$/, '1') },
        { ...own(), 'Sec-Fetch-Site': 'cross-site' },
        { 'Sec-Fetch-Site': 'cross-site' },
      ]) {
        const { body } = await promote({ ...key, ...foreign }).expect(403);
        expect(body).toMatchObject({ code: 'FOREIGN_ORIGIN' });
      }
      for (const ours of [{}, own(), { ...own(), 'Sec-Fetch-Site': 'same-origin' }, { 'Sec-Fetch-Site': 'none' }]) {
        await promote({ ...key, ...ours }).expect(404); // let through: there is no such model
      }
    });

    it('of another site is refused by every method that changes something, also where there is nothing', async () => {
      app = await TestApp.start({ env });
      for (const method of ['post', 'put', 'patch', 'delete'] as const) {
        for (const path of ['/api/v1/models/line', '/nothing', '/health/live']) {
          await app.request()[method](path).set('Origin', 'https://evil.example').expect(403);
        }
      }
    });

    it('of another site is answered where it only reads, and its browser is not told that the page may see it', async () => {
      app = await TestApp.start({ env });
      const { headers } = await app.request().get('/health/live').set('Origin', 'https://evil.example').expect(200);
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    });
  });

  it('behind a proxy that speaks TLS is ours', async () => {
    app = await TestApp.start({ env: { ALLOWED_HOSTS: 'analytics.example' } });
    await promote({ Host: 'analytics.example', Origin: 'https://analytics.example' }).expect(404);
    await promote({ Host: 'analytics.example:443', Origin: 'https://analytics.example' }).expect(404);
    await promote({ Host: 'analytics.example', Origin: 'https://analytics.example:8443' }).expect(403);
  });
});

describeInProcess('a page of CORS_ORIGINS', () => {
  const PAGE = 'https://board.example';
  const start = async (): Promise<void> => void (app = await TestApp.start({ env: { CORS_ORIGINS: `${PAGE},http://localhost:3000` } }));
  const preflight = (origin: string, method: string, names = 'content-type'): ReturnType<ReturnType<TestApp['request']>['options']> =>
    app
      .request()
      .options('/api/v1/predict/line')
      .set({ Origin: origin, 'Access-Control-Request-Method': method, 'Access-Control-Request-Headers': names });

  it('may call, and is told so, without cookies', async () => {
    await start();
    const { headers } = await promote({ Origin: PAGE, 'Sec-Fetch-Site': 'cross-site' }).expect(404);
    expect(headers).toMatchObject({ 'access-control-allow-origin': PAGE, vary: 'Origin' });
    expect(headers['access-control-allow-credentials']).toBeUndefined();
    expect(headers['access-control-expose-headers']).toContain('X-Correlation-Id');
  });

  it('is answered before it calls, for the methods and headers that there are', async () => {
    await start();
    const { headers } = await preflight(PAGE, 'POST', 'Content-Type, X-API-Key').expect(204);
    expect(headers).toMatchObject({ 'access-control-allow-origin': PAGE, 'access-control-max-age': '600' });
    expect(headers['access-control-allow-methods']).toBe('GET, HEAD, POST, PUT, PATCH, DELETE');
    for (const [method, names] of [
      ['TRACE', 'content-type'],
      ['POST', 'content-type, x-evil'],
      ['post', 'content-type'],
    ] as const) {
      const { headers: none } = await preflight(PAGE, method, names).expect(204);
      expect({ method, names, allowed: none['access-control-allow-methods'] }).toEqual({ method, names, allowed: undefined });
    }
  });

  it.each(['https://evil.example', 'null', 'https://board.example.evil.example', 'http://board.example', 'https://board.example:444'])(
    'is not %s',
    async (origin) => {
      await start();
      const { headers } = await preflight(origin, 'POST').expect(204);
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
      expect(headers['vary']).toBe('Origin');
      await promote({ Origin: origin }).expect(403);
    },
  );
});

describeInProcess('the name in Host', () => {
  const statusFor = async (host: string, path = '/api/v1/models'): Promise<number> =>
    (await app.request().get(path).set('Host', host).set('X-API-Key', KEY)).status;

  it('is one of ours while there are no keys', async () => {
    app = await TestApp.start();
    for (const host of ['localhost', 'LOCALHOST:4100', '127.0.0.1:1', '10.1.2.3', '[::1]:4100', `${hostname()}:4100`]) {
      expect({ host, status: await statusFor(host) }).toEqual({ host, status: 200 });
    }
    for (const host of [
      'evil.example',
      'evil.example:4100',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'user@localhost',
      '[::1',
      'x',
    ]) {
      const { body } = await app.request().get('/api/v1/models').set('Host', host).expect(421);
      expect(body).toMatchObject({ code: 'FOREIGN_HOST', status: 421 });
    }
  });

  it('does not matter to a probe, and only to a probe', async () => {
    app = await TestApp.start();
    for (const path of ['/health/live', '/health/ready', '/health/startup', '/health/ready?check=write']) {
      expect(await statusFor('pod.example', path)).toBe(200);
    }
    for (const path of ['/health', '/health/../metrics', '/health/live/../../metrics', '/metrics', '/docs']) {
      expect(await statusFor('pod.example', path)).toBe(421);
    }
  });

  it('may be one of ALLOWED_HOSTS, with keys and without', async () => {
    for (const env of [{}, { API_KEY: KEY }]) {
      app = await TestApp.start({ env: { ...env, ALLOWED_HOSTS: 'analytics-api,Analytics.Example' } });
      expect(await statusFor('analytics-api:4100')).toBe(200);
      expect(await statusFor('analytics.example')).toBe(200);
      expect(await statusFor('evil.example')).toBe(421);
      if (env.API_KEY === undefined) await app.close();
    }
  });

  it('is not looked at where keys are asked for and nobody listed any', async () => {
    app = await TestApp.start({ env: { API_KEY: KEY } });
    expect(await statusFor('whatever.example')).toBe(200);
  });
});

/** A page that tries to promote, as a form would and as a script does, and tells its own server how it went. */
const page = (target: string): string => `<!doctype html><script>
  const body = JSON.stringify({ stage: 'production' });
  const tries = {
    simple: () => fetch('${target}', { method: 'POST', mode: 'no-cors', headers: { 'Content-Type': 'text/plain' }, body }),
    json: () => fetch('${target}', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body }),
  };
  (async () => {
    const told = {};
    for (const [how, act] of Object.entries(tries)) {
      told[how] = await act().then((answer) => answer.type + ' ' + answer.status, (error) => 'failed');
    }
    await fetch('/told', { method: 'POST', body: JSON.stringify(told) });
  })();
</script>`;

describeWithBrowser('a page in a real browser', () => {
  let site: Server;
  let origin: string;
  let told: Promise<Readonly<Record<string, string>>>;

  beforeEach(async () => {
    let tell: (told: Readonly<Record<string, string>>) => void;
    told = new Promise((resolve) => (tell = resolve));
    site = createServer((request, response) => {
      if (request.method === 'POST') void text(request).then((body) => tell(JSON.parse(body) as Record<string, string>));
      response.setHeader('Content-Type', 'text/html');
      response.end(request.url === '/' ? page(`${app.origin}/api/v1/models/line/versions/1/promote`) : '');
    });
    await once(site.listen(0, '127.0.0.1'), 'listening');
    origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    site.closeAllConnections();
    site.close();
  });

  /** Opens the page of the other site in a browser, and waits until it has told how its tries went. */
  async function visit(): Promise<Readonly<Record<string, string>>> {
    const browser = Browser.open(origin);
    try {
      return await told;
    } finally {
      await browser.close();
    }
  }
  const stage = async (): Promise<string> => (await app.request().get('/api/v1/models/line/versions/1').expect(200)).body.stage as string;

  it('of another port of this machine cannot promote a model', async () => {
    app = await TestApp.start();
    await app.upload('line', linear([[1]])).expect(201);
    const seen = logLines.length;
    expect(await visit()).toEqual({ simple: 'failed', json: 'failed' });
    expect(await stage()).toBe('staging');
    expect(logLines.slice(seen)).toContainEqual(expect.objectContaining({ msg: 'request', method: 'POST', code: 'FOREIGN_ORIGIN' }));
  }, 60_000);

  it('of CORS_ORIGINS can, so the test above has a page that works', async () => {
    app = await TestApp.start({ env: { CORS_ORIGINS: origin } });
    await app.upload('line', linear([[1]])).expect(201);
    expect(await visit()).toEqual({ simple: 'failed', json: 'cors 200' });
    expect(await stage()).toBe('production');
  }, 60_000);
});
