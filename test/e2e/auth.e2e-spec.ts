import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Get } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import { mintKey } from '../../src/auth/api-key';
import { KeyOffice } from '../../src/auth/key-office';
import { type Scope, SCOPES } from '../../src/auth/scope.decorator';
import { linear } from '../onnx/models';
import { until } from '../process/processes';
import { describeInProcess, freshFolder, logLines, TestApp, type TestAppOptions } from './test-app';

const ADMIN = 'the-key-of-the-environment';
const SECRETS = [ADMIN];

/** Who may use which route: every route that the server has, and nothing else. */
const ROUTES: Readonly<Record<string, readonly Scope[] | 'public'>> = {
  'get /': 'public',
  'get /docs': 'public',
  'get /docs/swagger-ui-init.js': 'public',
  'get /docs/page.css': 'public',
  'get /docs/:file': 'public',
  'get /health/live': 'public',
  'get /health/ready': 'public',
  'get /health/startup': 'public',
  'get /docs-json': SCOPES,
  'get /health': ['metrics'],
  'get /metrics': ['metrics'],
  'get /api/v1/cache': ['cache:admin', 'metrics'],
  'delete /api/v1/cache': ['cache:admin'],
  'get /api/v1/log-level': ['logs:admin'],
  'put /api/v1/log-level': ['logs:admin'],
  'post /api/v1/predict/:model': ['predict'],
  'post /api/v1/feedback': ['predict'],
  'post /v2/models/:model/infer': ['predict'],
  'post /v2/models/:model/versions/:version/infer': ['predict'],
  'get /api/v1/models': ['models:read'],
  'get /api/v1/models/:model': ['models:read'],
  'get /api/v1/models/:model/history': ['models:read'],
  'get /api/v1/models/:model/quality': ['models:read', 'metrics'],
  'get /api/v1/models/:model/versions/:version': ['models:read'],
  'get /api/v1/models/:model/versions/:version/artifact': ['models:read'],
  'post /api/v1/models': ['models:write'],
  'patch /api/v1/models/:model': ['models:write'],
  'put /api/v1/models/:model/aliases/:alias': ['models:write'],
  'delete /api/v1/models/:model': ['models:write'],
  'post /api/v1/models/:model/undelete': ['models:write'],
  'delete /api/v1/models/:model/versions/:version': ['models:write'],
  'post /api/v1/models/:model/versions/:version/undelete': ['models:write'],
  'delete /api/v1/models/:model/aliases/:alias': ['models:write'],
  'post /api/v1/models/:model/versions/:version/promote': ['promote', 'promote:staging'],
  'post /api/v1/models/:model/rollback': ['promote'],
  'get /api/v1/backups': ['backup:run', 'backup:restore'],
  'get /api/v1/backups/:id': ['backup:run', 'backup:restore'],
  'get /api/v1/backups/:id/archive': ['backup:run', 'backup:restore'],
  'post /api/v1/backups': ['backup:run'],
  'post /api/v1/backups/prune': ['backup:run'],
  'post /api/v1/backups/drill': ['backup:run'],
  'post /api/v1/backups/:id/verify': ['backup:run', 'backup:restore'],
  'post /api/v1/backups/:id/restore': ['backup:restore'],
  'delete /api/v1/backups/:id': ['backup:run'],
  'post /api/v1/backups/:id/undelete': ['backup:run'],
  'get /v2/health/live': 'public',
  'get /v2/health/ready': 'public',
  'get /v2': ['models:read', 'predict', 'metrics'],
  'get /v2/models': ['models:read', 'predict'],
  'get /v2/models/:model': ['models:read', 'predict'],
  'get /v2/models/:model/config': ['models:read', 'predict'],
  'get /v2/models/:model/versions/:version/config': ['models:read', 'predict'],
  'get /v2/models/:model/ready': ['models:read', 'predict'],
  'get /v2/models/:model/versions/:version': ['models:read', 'predict'],
  'get /v2/models/:model/versions/:version/ready': ['models:read', 'predict'],
  'get /v2/models/stats': ['models:read', 'metrics'],
  'get /v2/models/:model/stats': ['models:read', 'metrics'],
  'get /v2/models/:model/versions/:version/stats': ['models:read', 'metrics'],
  'get /v2/repository/index': ['models:read'],
  'post /v2/repository/index': ['models:read'],
  'post /v2/repository/models/:model/load': ['promote'],
  'post /v2/repository/models/:model/unload': ['promote'],
  [String.raw`post /v1/models/:model\:predict`]: ['predict'],
  [String.raw`post /v1/models/:model/versions/:version\:predict`]: ['predict'],
  [String.raw`post /v1/models/:model/labels/:label\:predict`]: ['predict'],
  [String.raw`post /v1/models/:model\:classify`]: ['predict'],
  [String.raw`post /v1/models/:model/versions/:version\:classify`]: ['predict'],
  [String.raw`post /v1/models/:model/labels/:label\:classify`]: ['predict'],
  [String.raw`post /v1/models/:model\:regress`]: ['predict'],
  [String.raw`post /v1/models/:model/versions/:version\:regress`]: ['predict'],
  [String.raw`post /v1/models/:model/labels/:label\:regress`]: ['predict'],
  'get /v1/models': ['models:read', 'predict'],
  'get /v1/models/:model': ['models:read', 'predict'],
  'get /v1/models/:model/metadata': ['models:read', 'predict'],
  'get /v1/models/:model/versions/:version': ['models:read', 'predict'],
  'get /v1/models/:model/versions/:version/metadata': ['models:read', 'predict'],
  'get /v1/models/:model/labels/:label': ['models:read', 'predict'],
  'get /v1/models/:model/labels/:label/metadata': ['models:read', 'predict'],
};

interface Route {
  readonly method: string;
  readonly path: string;
}

let app: TestApp;
let folder: string;
let office: KeyOffice;

async function start(options: TestAppOptions = {}): Promise<void> {
  const env = { API_KEY: ADMIN, ...options.env, MODELS_DIR: folder };
  app = await TestApp.start({ ...options, env });
}

async function keyWith(scopes: readonly (Scope | 'admin')[], more: object = {}): Promise<string> {
  const { text: key } = await office.create({ name: 'of-the-test', scopes, models: [], ...more });
  SECRETS.push(key, key.split('_')[3] as string);
  return key;
}

/** Waits until the server has read what `keys` wrote. */
async function known(key: string): Promise<void> {
  await until('the key is known', async () => (await app.request().get('/docs-json').set('X-API-Key', key)).status === 200);
}

beforeEach(() => {
  folder = freshFolder();
  office = new KeyOffice(join(folder, 'auth', 'keys.json'), folder, 'cli:test');
});
afterEach(async () => {
  await app.close();
  rmSync(folder, { recursive: true });
});
afterAll(() => {
  const log = JSON.stringify(logLines);
  expect(log.length).toBeGreaterThan(1000);
  for (const secret of SECRETS) expect(log).not.toContain(secret);
});

function liveRoutes(): readonly Route[] {
  const { router } = app.app.getHttpAdapter().getInstance() as unknown as {
    router: { stack: readonly { route?: { path: string; methods: Readonly<Record<string, boolean>> } }[] };
  };
  return router.stack.flatMap(({ route }) =>
    route === undefined ? [] : Object.keys(route.methods).map((method) => ({ method, path: route.path })),
  );
}

/** A path that the route takes. */
function concrete(path: string): string {
  const plain = path.replaceAll('\\', '').replace(':label', 'champion');
  return plain
    .replace(':model', 'line')
    .replace(':version', '1')
    .replace(':alias', 'champion')
    .replace(':id', 'latest')
    .replace(':file', 'swagger-ui.css');
}

const agent = new Agent({ keepAlive: true });
afterAll(() => agent.destroy());

/** A request whose path is sent as it is. */
async function raw(method: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<IncomingMessage> {
  const { hostname, port } = new URL(app.origin);
  const call = httpRequest({ method: method.toUpperCase(), path, hostname, port, headers, agent }).end();
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  await text(answer);
  return answer;
}

describeInProcess('every route', () => {
  it('is in the table of who may use it, and the table has no other', async () => {
    await start();
    expect(
      liveRoutes()
        .map(({ method, path }) => `${method} ${path}`)
        .sort(),
    ).toEqual(Object.keys(ROUTES).sort());
  });

  it('lets nobody in without a key, but to what is public', async () => {
    await start();
    for (const [route, access] of Object.entries(ROUTES)) {
      const [method, path] = route.split(' ') as [string, string];
      const { statusCode, headers } = await raw(method, concrete(path));
      if (access === 'public') expect({ route, in: [200, 302].includes(statusCode as number) }).toEqual({ route, in: true });
      else {
        expect({ route, statusCode }).toEqual({ route, statusCode: 401 });
        expect(headers['www-authenticate']).toMatch(/^Bearer /);
      }
    }
  });

  it('lets in whoever has a scope of it, and nobody else, whatever other scopes that one has', async () => {
    const keys = new Map<string, string>();
    for (const scope of SCOPES) {
      keys.set(`only ${scope}`, await keyWith([scope]));
      keys.set(`all but ${scope}`, await keyWith(SCOPES.filter((other) => other !== scope)));
    }
    await start();
    for (const [route, access] of Object.entries(ROUTES).filter(([, each]) => each !== 'public')) {
      const [method, path] = route.split(' ') as [string, string];
      for (const [who, key] of keys) {
        const scope = who.split(' ').at(-1) as Scope;
        const may = who.startsWith('only') ? access.includes(scope) : (access as readonly Scope[]).some((one) => one !== scope);
        const { statusCode } = await raw(method, concrete(path), { Authorization: `Bearer ${key}` });
        expect({ route, who, refused: [401, 403].includes(statusCode as number) }).toEqual({ route, who, refused: !may });
      }
    }
  });

  it('gives no spelling of its path a lesser refusal than its own', async () => {
    const key = await keyWith(['keys:admin']);
    await start();
    const isProtected = ({ method, path }: Route): boolean => ROUTES[`${method} ${path}`] !== 'public';
    const lesser: string[] = [];
    let tried = 0;
    let refused = 0;
    for (const [headers, expected] of [
      [{}, 401],
      [{ 'X-API-Key': key }, 403],
    ] as const) {
      for (const { method, path } of liveRoutes().filter(isProtected)) {
        const open = ROUTES[`${method} ${path}`]?.length === SCOPES.length && expected === 403; // every key may read the documentation
        if (open) continue;
        expect((await raw(method, concrete(path), headers)).statusCode).toBe(expected);
        for (const [verb, spelling] of variants(method, concrete(path))) {
          const { statusCode } = await raw(verb, spelling, headers);
          tried++;
          if (statusCode === expected) refused++;
          else if (statusCode !== 400 && statusCode !== 404) lesser.push(`${verb} ${spelling}: ${statusCode}`);
        }
      }
    }
    expect(lesser).toEqual([]);
    expect(tried).toBeGreaterThan(1500);
    expect(refused).toBeGreaterThan(tried / 4); // else this test would try nothing but 404
  });

  /** Other ways to spell a path that some part of a server may take for the same. */
  function variants(method: string, path: string): readonly (readonly [string, string])[] {
    const segments = path.split('/').slice(1);
    const each = (change: (segment: string) => string): readonly string[] =>
      segments.map((_, at) => `/${segments.map((segment, other) => (other === at ? change(segment) : segment)).join('/')}`);
    const escaped = (segment: string): string => `%${segment.charCodeAt(0).toString(16)}${segment.slice(1)}`;
    const spellings = [
      ...each(escaped),
      ...each((segment) => escaped(segment).toUpperCase()),
      ...each((segment) => `/${segment}`),
      ...each((segment) => `./${segment}`),
      ...each((segment) => `x/../${segment}`),
      ...each((segment) => `%2e/${segment}`),
      ...each((segment) => `${segment};x`),
      ...each((segment) => `${segment}%00`),
      ...each((segment) => segment.toUpperCase()),
      ...[`${path}/`, `${path}//`, `${path}/.`, `${path};x=1`, `${path}%20`, `${path}?`, `${path}?x=1&x=2&health`, `${path}?/health/live`],
      ...[
        `${path}%2f`,
        path.replaceAll('/', '%2f'),
        path.replace(/\/([^/]*)$/, '%2F$1'),
        path.replaceAll('/', '\\'),
        `${path}#/health/live`,
      ],
      ...[
        `/health/live/..${path}`,
        `/docs/..${path}`,
        `/docs/%2e%2e${path}`,
        `${app.origin}${path}`,
        `http://evil.example${path}`,
        `*${path}`,
      ],
    ];
    const verbs = method === 'get' ? ['get', 'head'] : [method];
    return [
      ...spellings.filter((spelling) => spelling !== path).flatMap((spelling) => verbs.map((verb) => [verb, spelling] as const)),
      ...(method === 'get' ? [['head', path] as const] : []),
    ];
  }

  it('tells nothing by OPTIONS', async () => {
    await start();
    for (const path of ['/api/v1/models', '/nothing']) {
      const { statusCode, headers } = await raw('options', path);
      expect({ statusCode, allow: headers.allow }).toEqual({ statusCode: 204, allow: undefined });
    }
  });

  it('that says nothing of who may use it fails the start', async () => {
    @Controller('silent')
    class SilentController {
      @Get('one')
      one(): void {}

      @Get('two')
      two(): void {}
    }
    await start(); // so that there is one to close
    await expect(TestApp.start({ controllers: [SilentController] })).rejects.toThrow('SilentController.one, SilentController.two');
  });
});

describeInProcess('a key', () => {
  it('comes in one of two headers, and in no other way', async () => {
    await start();
    const list = (): ReturnType<ReturnType<TestApp['request']>['get']> => app.request().get('/api/v1/models');
    await list().set('Authorization', `Bearer ${ADMIN}`).expect(200);
    await list().set('X-API-Key', ADMIN).expect(200);
    await list().set('X-API-Key', ADMIN).set('Authorization', `Bearer ${ADMIN}`).expect(400);
    for (const name of ['api_key', 'key', 'access_token', 'X-API-Key']) {
      const { body } = await list()
        .query({ [name]: ADMIN })
        .expect(400);
      expect(body).toMatchObject({ code: 'KEY_MISPLACED' });
      expect(JSON.stringify(body)).not.toContain(ADMIN);
    }
    await list().set('Cookie', `api_key=${ADMIN}`).expect(400);
    await list().set('Cookie', 'theme=dark').set('X-API-Key', ADMIN).expect(200);
    const { headers } = await raw('get', '/api/v1/models', { 'x-api-key': `${ADMIN}x` });
    expect(headers['content-type']).toBe('application/problem+json');
  });

  it('of the file counts from notBefore to expiresAt, and not once it is revoked', async () => {
    const hour = 3_600_000;
    const at = (ms: number): string => new Date(Date.now() + ms).toISOString();
    const now = await keyWith(['models:read'], { notBefore: at(-hour), expiresAt: at(hour) });
    const later = await keyWith(['models:read'], { notBefore: at(hour) });
    const over = await keyWith(['models:read'], { expiresAt: at(-1) });
    await start();
    const statusOf = async (key: string): Promise<number> => (await app.request().get('/api/v1/models').set('X-API-Key', key)).status;
    expect(await Promise.all([now, later, over].map(statusOf))).toEqual([200, 401, 401]);
    const revokedAt = performance.now();
    await office.revoke(now.split('_')[2] as string);
    await until('the key is out of force', async () => (await statusOf(now)) === 401);
    expect(performance.now() - revokedAt).toBeLessThan(1000);
  });

  it('is refused by one text for every reason', async () => {
    const key = await keyWith(['models:read']);
    await start();
    const [, , id] = key.split('_') as [string, string, string];
    const foreign = mintKey().text;
    const bodies = await Promise.all(
      [
        undefined,
        'nonsense-nonsense-nonsense',
        foreign,
        `${key.slice(0, -1)}${key.endsWith('x') ? 'y' : 'x'}`,
        foreign.replace(/live_.{8}/, `live_${id}`),
      ].map(async (given) => {
        const call = app.request().get('/api/v1/models');
        const { body, headers } = await (given === undefined ? call : call.set('X-API-Key', given)).expect(401);
        expect(headers['www-authenticate']).toBe('Bearer realm="analytics-api"');
        return { ...body, correlationId: '' };
      }),
    );
    expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1);
  });

  it('is rotated under load without one refusal', async () => {
    let key = await keyWith(['models:read']);
    await start();
    const statuses = new Set<number>();
    let going = true;
    const load = (async () => {
      while (going) statuses.add((await app.request().get('/api/v1/models').set('X-API-Key', key)).status);
    })();
    for (let turn = 0; turn < 2; turn++) {
      const next = await keyWith(['models:read']);
      await known(next);
      const old = key;
      key = next;
      await sleep(50);
      await office.revoke(old.split('_')[2] as string);
      await until(
        'the old key is out of force',
        async () => (await app.request().get('/api/v1/models').set('X-API-Key', old)).status !== 200,
      );
    }
    going = false;
    await load;
    expect([...statuses]).toEqual([200]);
  });

  it('turns the asking for keys on in a server that had none, and the last revocation does not turn it off', async () => {
    await start({ env: { API_KEY: '' } });
    await app.request().get('/api/v1/models').expect(200);
    const key = await keyWith(['models:read']);
    await until('keys are asked for', async () => (await app.request().get('/api/v1/models')).status === 401);
    await app.request().get('/api/v1/models').set('X-API-Key', key).expect(200);
    await office.revoke(key.split('_')[2] as string);
    await until('the key is out of force', async () => (await app.request().get('/api/v1/models').set('X-API-Key', key)).status === 401);
    await app.close();
    await start({ env: { API_KEY: '' } });
    await app.request().get('/api/v1/models').expect(401);
  });

  it('is not asked for with AUTH_MODE=none', async () => {
    await keyWith(['models:read']);
    await start({ env: { AUTH_MODE: 'none' } });
    await app.request().get('/api/v1/models').expect(200);
    await app.request().get('/metrics').expect(200);
  });

  it('is in the log of the request by name and id', async () => {
    const key = await keyWith(['models:read']);
    await start();
    await app.request().get('/api/v1/models').set('X-API-Key', key).set('X-Correlation-Id', 'who-was-it').expect(200);
    const line = await until('the line is written', () =>
      logLines.find(({ correlationId, msg }) => correlationId === 'who-was-it' && msg === 'request'),
    );
    expect(line).toMatchObject({ keyId: key.split('_')[2], keyName: 'of-the-test' });
  });
});

describeInProcess('a key for some models', () => {
  it('is told the same of a model that is not there and of one that is not its own', async () => {
    const key = await keyWith(['predict', 'models:read', 'models:write', 'promote'], { models: ['line', 'team-*'] });
    await start();
    const send = (call: ReturnType<ReturnType<TestApp['request']>['get']>): typeof call => call.set('X-API-Key', key);
    for (const name of ['line', 'other']) {
      await app
        .upload(name, linear([[1]]), { stage: 'production' })
        .set('X-API-Key', ADMIN)
        .expect(201);
    }
    await send(app.predict('line', { instances: [[1]] })).expect(200);
    await send(app.request().get('/api/v1/models/team-7')).expect(404);
    const calls = ['other', 'nobody'].map(async (name) => {
      const answers = await Promise.all([
        send(app.predict(name, { instances: [[1]] })),
        send(app.request().get(`/api/v1/models/${name}`)),
        send(app.request().get(`/api/v1/models/${name}/versions/1/artifact`)),
        send(app.request().post(`/api/v1/models/${name}/rollback`)).send({}),
      ]);
      return answers.map(({ status, body }) => ({ status, ...body, correlationId: '' }));
    });
    const [other, nobody] = await Promise.all(calls);
    expect(other).toEqual(nobody);
    expect(new Set(other?.map(({ code }) => code))).toEqual(new Set(['FORBIDDEN']));
  });
});

describeInProcess('a key that may not change production', () => {
  it('moves what is not there and will not be there, and uploads nothing into it', async () => {
    const key = await keyWith(['models:write', 'models:read', 'promote:staging']);
    await start();
    await app.serve('line', linear([[1]])).set('X-API-Key', ADMIN);
    await app.upload('line', linear([[2]])).set('X-API-Key', key).expect(201); // prettier-ignore
    const promote = (version: number, stage: string) =>
      app.request().post(`/api/v1/models/line/versions/${version}/promote`).set('X-API-Key', key).send({ stage });
    await promote(2, 'archived').expect(200);
    await promote(2, 'staging').expect(200);
    await promote(2, 'production').expect(403);
    await promote(1, 'archived').expect(403);
    await app.request().post('/api/v1/models/line/rollback').set('X-API-Key', key).send({}).expect(403);
    await app.upload('line', linear([[3]]), { stage: 'production' }).set('X-API-Key', key).expect(403); // prettier-ignore
    await app.upload('line', linear([[3]]), { stage: 'archived' }).set('X-API-Key', key).expect(201); // prettier-ignore
    const { body } = await app.request().get('/api/v1/models/line').set('X-API-Key', key).expect(200);
    expect(body.versions.map(({ stage, publishedBy }: Record<string, string>) => [stage, publishedBy])).toEqual([
      ['production', 'key:API_KEY'],
      ['staging', 'key:of-the-test'],
      ['archived', 'key:of-the-test'],
    ]);
    const history = await app.request().get('/api/v1/models/line/history').set('X-API-Key', key).expect(200);
    expect(new Set(history.body.events.map(({ actor }: { actor: string }) => actor))).toEqual(new Set(['key:API_KEY', 'key:of-the-test']));
  });

  it('is not shown what it may not use', async () => {
    const key = await keyWith(['models:read', 'models:write'], { models: ['team-*'] });
    await start();
    for (const name of ['line', 'team-a', 'team-b']) await app.upload(name, linear([[1]])).set('X-API-Key', ADMIN).expect(201); // prettier-ignore
    const { body } = await app.request().get('/api/v1/models').set('X-API-Key', key).expect(200);
    expect([body.total, ...body.models.map(({ name }: { name: string }) => name)]).toEqual([2, 'team-a', 'team-b']);
    const refusals = await Promise.all(['line', 'nobody'].map((name) => app.upload(name, linear([[2]])).set('X-API-Key', key).expect(403))); // prettier-ignore
    expect(refusals.map(({ body: { code } }) => code)).toEqual(['FORBIDDEN', 'FORBIDDEN']);
    await app.upload('team-a', linear([[2]])).set('X-API-Key', key).expect(201); // prettier-ignore
  });
});

describeInProcess('an address that fails', () => {
  it('is not listened to any more after 20 times, but for a valid key', async () => {
    await start();
    const call = (key?: string): ReturnType<ReturnType<TestApp['request']>['get']> => {
      const get = app.request().get('/api/v1/models');
      return key === undefined ? get : get.set('X-API-Key', key);
    };
    for (let at = 0; at < 20; at++) await call('a-wrong-key').expect(401);
    const { body, headers } = await call('a-wrong-key').expect(429);
    expect(body.code).toBe('TOO_MANY_FAILURES');
    expect(Number(headers['retry-after'])).toBeGreaterThan(50);
    expect(Number(headers['retry-after'])).toBeLessThanOrEqual(60);
    await call().expect(429);
    for (let at = 0; at < 30; at++) await call(ADMIN).expect(200);
    await app.request().get('/health/live').expect(200);
  });

  it('is in the audit trail: summed up, with the id of the key, and never twice a minute', async () => {
    const key = await keyWith(['metrics']);
    await start();
    for (let at = 0; at < 5; at++) await app.request().get('/api/v1/models').set('X-API-Key', mintKey().text).expect(401);
    await app.request().get('/api/v1/models').set('X-API-Key', key).expect(403);
    await app.request().get('/api/v1/models').expect(401);
    await sleep(100);
    const log = join(folder, 'auth', 'audit', 'log');
    interface Refused {
      readonly kind: string;
      readonly total: number;
      readonly failures: readonly object[];
    }
    const events = (): readonly Refused[] => readdirSync(log).map((name) => JSON.parse(readFileSync(join(log, name), 'utf8')));
    const written = events().filter(({ kind }) => kind === 'auth.refused');
    expect(written).toHaveLength(1); // the first, at once
    await app.close();
    const all = events().filter(({ kind }) => kind === 'auth.refused');
    expect(all).toHaveLength(2);
    expect(all.reduce((sum, { total }) => sum + total, 0)).toBe(7);
    const failures = all.flatMap((event) => event.failures);
    expect(failures).toContainEqual({
      address: '127.0.0.1',
      code: 'FORBIDDEN',
      count: 1,
      keyId: key.split('_')[2],
      correlationId: expect.any(String),
    });
    expect(failures).toContainEqual({ address: '127.0.0.1', code: 'UNAUTHENTICATED', count: 1, correlationId: expect.any(String) });
    expect(JSON.stringify(all)).not.toContain(key.split('_')[3]);
    await start();
  });
});

describeInProcess('a file of keys that cannot be read', () => {
  const path = (): string => join(folder, 'auth', 'keys.json');

  it('keeps the keys that were read before, and says so in the log', async () => {
    const key = await keyWith(['models:read']);
    await start();
    writeFileSync(path(), readFileSync(path()).subarray(0, 100));
    const seen = logLines.length;
    await until('the log says so', () => logLines.slice(seen).some(({ msg, level }) => msg === 'keys not read' && level === 'error'));
    await app.request().get('/api/v1/models').set('X-API-Key', key).expect(200);
    await app.request().get('/api/v1/models').expect(401);
    rmSync(path());
    await sleep(600);
    await app.request().get('/api/v1/models').set('X-API-Key', key).expect(200);
  });

  it('from the start on lets nobody in, while probes are answered; and is read as soon as it is mended', async () => {
    const key = await keyWith(['models:read']);
    const good = readFileSync(path());
    writeFileSync(path(), 'junk');
    await start({ env: { API_KEY: '' } });
    for (const probe of ['live', 'ready', 'startup']) await app.request().get(`/health/${probe}`).expect(200);
    for (const call of [
      app.request().get('/api/v1/models'),
      app.request().get('/metrics'),
      app.request().get('/api/v1/models').set('X-API-Key', key),
    ]) {
      expect((await call.expect(503)).body).toMatchObject({ code: 'KEYS_UNREADABLE' });
    }
    writeFileSync(path(), good);
    await known(key);
  });

  it('does not keep out the key of the environment', async () => {
    await keyWith(['models:read']);
    writeFileSync(path(), '{}');
    await start();
    await app.request().get('/api/v1/models').set('X-API-Key', ADMIN).expect(200);
    await app.request().get('/api/v1/models').expect(503);
  });

  it('that everybody may read is warned of', async () => {
    await keyWith(['models:read']);
    chmodSync(path(), 0o644);
    const seen = logLines.length;
    await start();
    expect(logLines.slice(seen)).toContainEqual(expect.objectContaining({ level: 'warn', path: path() }));
    await app.close();
    chmodSync(path(), 0o640);
    const again = logLines.length;
    await start();
    expect(logLines.slice(again).filter(({ level }) => level === 'warn')).toEqual([]);
  });
});

describeInProcess('a body without a key', () => {
  it('is not read, and the connection ends', async () => {
    await start();
    const server = app.app.getHttpServer();
    const taken: import('node:net').Socket[] = [];
    server.on('connection', (socket: import('node:net').Socket) => taken.push(socket));
    const { hostname, port } = new URL(app.origin);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true }).on('error', () => {});
    let answer = '';
    socket.setEncoding('utf8').on('data', (piece: string) => (answer += piece));
    const size = 2 ** 30;
    socket.write(
      `POST /api/v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${size}\r\n\r\n`,
    );
    const piece = Buffer.alloc(65_536, 'x');
    let sent = 0;
    while (sent < size && !socket.destroyed && socket.writable) {
      sent += piece.length;
      if (!socket.write(piece))
        await Promise.race([
          once(socket, 'drain').catch(() => {}),
          once(socket, 'close').catch(() => {}),
          sleep(3000, undefined, { ref: false }),
        ]);
      if (answer !== '' && sent > 64 * 2 ** 20) break;
      if (answer !== '' && taken[0]?.destroyed) break;
    }
    await until('it is over', () => taken[0]?.destroyed === true);
    socket.destroy();
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(answer).toMatch(/\r\nConnection: close\r\n/i);
    expect(taken[0]?.bytesRead).toBeLessThanOrEqual(65_536);
    expect(sent).toBeLessThan(64 * 2 ** 20);
  });

  it('that is small is answered on a connection that goes on', async () => {
    await start();
    const [one, two] = [await raw('post', '/api/v1/models', { 'Content-Length': '0' }), await app.predict('line', { features: [] })];
    expect([one.statusCode, two.status]).toEqual([401, 401]);
    expect(one.headers.connection).not.toBe('close');
  });
});

describeInProcess('figures and documentation', () => {
  it('are open where METRICS_PUBLIC says so, and only the figures', async () => {
    await start({ env: { METRICS_PUBLIC: 'true' } });
    await app.request().get('/metrics').expect(200);
    await app.request().get('/health').expect(401);
  });

  it('give the page without a key, and nothing of the API in it', async () => {
    await start();
    const { text: page } = await app.request().get('/docs').expect(200);
    expect(page).not.toMatch(/<script>|<style|style=|onload/); // a content security policy needs no exception
    for (const [, asset] of page.matchAll(/(?:src|href)="\.([^"]+)"/g)) {
      const { text: content, status } = await app.request().get(asset as string);
      expect({ asset, status }).toEqual({ asset, status: 200 });
      expect(content ?? '').not.toContain('/api/v1');
    }
    await app.request().get('/docs/').expect(302).expect('Location', '../docs');
    for (const other of ['package.json', 'index.html', '..%2fpackage.json', 'swagger-ui.js'])
      await app.request().get(`/docs/${other}`).expect(404);
  });

  it('say of every route what it takes, and what it answers without', async () => {
    await start();
    const { body } = await app.request().get('/docs-json').set('X-API-Key', ADMIN).expect(200);
    const document = body as OpenAPIObject;
    expect(document.components?.securitySchemes).toMatchObject({
      bearer: { type: 'http', scheme: 'bearer' },
      apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
    });
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const access = ROUTES[`${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`];
        const { security, responses, description } = operation as { security?: object[]; responses: object; description?: string };
        const open = access === 'public';
        expect({ path, method, security }).toEqual({ path, method, security: open ? undefined : [{ bearer: [] }, { apiKey: [] }] });
        for (const status of ['401', '403', '429'])
          expect({ path, method, status, has: status in responses && !open }).toEqual({ path, method, status, has: !open });
        if (access !== undefined && !open) for (const scope of access) expect(description).toContain(`\`${scope}\``);
      }
    }
  });
});
