import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisProcess } from '../cache/redis-process';
import { linear, slowLoop } from '../onnx/models';
import { until } from './processes';
import { type ServerProcess, Servers } from './server-process';

interface Operation {
  readonly method: string;
  readonly path: string;
}

/** Each place has a word of its own, so that one that is found tells where it leaked. */
const canaries = new Map<string, string>();
function canary(place: string): string {
  let word = canaries.get(place);
  if (word === undefined) canaries.set(place, (word = `canary${randomBytes(8).toString('hex')}`));
  return word;
}

const HIDDEN = ['/', '/docs', '/docs/swagger-ui.css', '/docs/nothing', '/nothing', '/api/v1', '/v2/nothing', '/v1/nothing'];
const PLACES: Readonly<Record<string, string>> = {
  '{model}': 'line',
  '{version}': '1',
  '{alias}': 'champion',
  '{label}': 'champion',
  '{id}': 'latest',
};

/** Headers that nobody may find again. @param key what is sent as a key, if it is not the right one */
function headers(key?: string): Record<string, string> {
  return {
    Authorization: key === undefined ? `Bearer ${canary('API_KEY')}` : `Bearer ${key}`,
    'User-Agent': canary('User-Agent'),
    Referer: `http://localhost/${canary('Referer')}`,
    'If-Match': `"${canary('If-Match')}"`,
    'If-None-Match': `"${canary('If-None-Match')}"`,
    'Idempotency-Key': canary('Idempotency-Key'),
    'X-Forwarded-For': canary('X-Forwarded-For'),
    'X-Anything': canary('X-Anything'),
    'X-Request-Timeout-Ms': canary('X-Request-Timeout-Ms'),
    'X-Correlation-Id': `not an id ${canary('X-Correlation-Id')}`,
    traceparent: canary('traceparent'),
    tracestate: `vendor=${canary('tracestate')}`,
    Accept: `application/json, text/${canary('Accept')}`,
  };
}

const secret = (name: string): object => ({ [canary(`member of ${name}`)]: canary(`value of ${name}`) });

/** Bodies of many kinds, each good or bad in its own way. */
function bodies(): readonly (readonly [type: string, body: string | FormData])[] {
  const form = new FormData();
  form.set('name', 'line');
  form.set(canary('part'), canary('field'));
  form.set('file', new Blob([canary('file')]), `${canary('file name')}.onnx`);
  const model = new FormData();
  model.set('name', 'described');
  model.set('stage', 'production');
  model.set('reason', canary('reason of an upload'));
  const tags = [canary('tag')];
  model.set('metadata', JSON.stringify({ description: canary('description'), tags, featureNames: [canary('feature')] }));
  model.set('file', new Blob([Uint8Array.from(linear([[randomBytes(1)[0] as number]]))]), `${canary('model file name')}.onnx`);
  return [
    ['application/json', JSON.stringify({ instances: [[1]], ...secret('a prediction') })],
    ['application/json', JSON.stringify({ instances: [[canary('value of a row')]] })],
    ['application/json', JSON.stringify({ features: { [canary('feature of a row')]: 1 } })],
    ['application/json', JSON.stringify({ inputs: [{ name: canary('input'), shape: [1, 1], datatype: 'FP32', data: [1] }] })],
    ['application/json', JSON.stringify({ id: canary('id'), inputs: [{ name: 'x', shape: [1, 1], datatype: 'FP32', data: [1] }] })],
    ['application/json', JSON.stringify({ stage: 'archived', reason: canary('reason') })],
    ['application/json', JSON.stringify({ description: canary('new description'), tags: [canary('new tag')] })],
    ['application/json', JSON.stringify({ version: 1, reason: canary('reason of an alias') })],
    ['application/json', JSON.stringify({ level: canary('level') })],
    ['application/json', `{"${canary('broken JSON')}`],
    ['application/json', `"${canary('twice')}`.repeat(3)],
    [`text/${canary('type')}`, canary('text')],
    [`multipart/form-data; boundary=${canary('boundary')}`, canary('broken form')],
    ['', form],
    ['', model],
  ];
}

describe('secrets and bodies', () => {
  const folder = mkdtempSync(join(tmpdir(), 'analytics-api-secrets-'));
  const servers = new Servers();
  const redis: RedisProcess[] = [];
  afterAll(async () => {
    await servers.remove();
    await Promise.all(redis.map((each) => each.remove()));
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(more: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
    const keyFile = join(folder, 'backup.key');
    writeFileSync(keyFile, canary('backup key').repeat(3), { mode: 0o600 });
    return servers.start({
      ...{ API_KEY: canary('API_KEY'), LOG_LEVEL: 'trace', LOG_DIR: join(folder, 'logs'), DRAIN_SECONDS: '0', MAX_JSON_BYTES: '65536' },
      ...{ CACHE_SECRET: canary('CACHE_SECRET'), BACKUP_KEY_FILE: keyFile, BACKUP_ENCRYPT: 'on', EXAMPLES: 'off' },
      ...{ AWS_SECRET_ACCESS_KEY: canary('a variable that is not ours') },
      ...more,
    });
  }

  async function send({ origin }: ServerProcess, { method, path }: Operation, headersOf: Record<string, string>, body?: string | FormData) {
    const withBody = method === 'GET' || body === undefined ? {} : { body };
    const init = { method, headers: headersOf, redirect: 'manual', signal: AbortSignal.timeout(10_000), ...withBody } as const;
    const response = await fetch(origin + path, init);
    await response.arrayBuffer();
    return response.status;
  }

  /** Every operation that the documentation has, and what it does not tell of. Those that take things away come last. */
  async function operations({ origin }: ServerProcess): Promise<readonly Operation[]> {
    const response = await fetch(`${origin}/docs-json`, { headers: { 'X-API-Key': canary('API_KEY') } });
    const { paths } = (await response.json()) as { readonly paths: Readonly<Record<string, object>> };
    const told = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({
        method: method.toUpperCase(),
        path: path.replaceAll(/\{\w+\}/g, (name) => PLACES[name] ?? name),
      })),
    );
    const hidden = HIDDEN.flatMap((path) => ['GET', 'POST'].map((method) => ({ method, path })));
    return [...told, ...hidden].sort((a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'));
  }

  /** What no client library would send. */
  async function sendRaw({ origin }: ServerProcess): Promise<void> {
    const word = canary('what is no request');
    const texts = [
      `GET /health/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${word}\r\n bad: ${word}\r\n\r\n`,
      `${word} / HTTP/9.9\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: ${word}!\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: x\r\nCookie: ${word.repeat(1000)}\r\n\r\n`,
      `POST /api/v1/predict/line HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${canary('API_KEY')}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"${word}`,
    ];
    for (const text of texts) {
      const { hostname, port } = new URL(origin);
      const socket = connect(Number(port), hostname).on('error', () => {});
      socket.write(text);
      setTimeout(() => socket.destroy(), 100);
      await once(socket, 'close');
    }
  }

  async function use(server: ServerProcess): Promise<ReadonlySet<number>> {
    const statuses = new Set<number>();
    for (const [name, model] of [
      ['line', linear([[1]])],
      ['slow', slowLoop(100_000_000)],
    ] as const) {
      const form = new FormData();
      form.set('name', name);
      form.set('stage', 'production');
      form.set('metadata', JSON.stringify({ deadlineMs: 200 }));
      form.set('file', new Blob([Uint8Array.from(model)]), 'model.onnx');
      expect(await send(server, { method: 'POST', path: '/api/v1/models' }, withoutConditions(headers()), form)).toBe(201);
    }
    const query = `?api_key=${canary('key in a query')}&${canary('name in a query')}=${canary('value in a query')}`;
    for (const operation of await operations(server)) {
      const asked = bodies();
      for (const [at, [type, body]] of operation.method === 'GET' ? [[0, asked[0]!] as const] : asked.entries()) {
        const typed = { ...headers(), ...(type !== '' && { 'Content-Type': type }) };
        statuses.add(await send(server, operation, at % 2 === 0 ? withoutConditions(typed) : typed, body));
      }
      statuses.add(await send(server, { ...operation, path: operation.path + query }, headers(), '{}'));
      statuses.add(await send(server, operation, headers(canary('a wrong key')), '{}'));
      statuses.add(
        await send(server, operation, { ...headers(), Cookie: `api_key=${canary('Cookie')}`, 'X-API-Key': canary('second key') }, '{}'),
      );
    }
    const slow = JSON.stringify({ instances: [[1e9]] });
    statuses.add(
      await send(server, { method: 'POST', path: '/api/v1/predict/slow' }, { ...headers(), 'Content-Type': 'application/json' }, slow),
    );
    await sendRaw(server);
    return statuses;
  }

  /** Everything that was written for people to read. */
  function written(server: ServerProcess): string {
    const audit = join(server.modelsDir, 'auth');
    const texts = [join(folder, 'logs'), audit]
      .filter(existsSync)
      .flatMap((root) =>
        readdirSync(root, { recursive: true, withFileTypes: true }).flatMap((entry) =>
          entry.isFile() ? readFileSync(join(entry.parentPath, entry.name), 'utf8') : [],
        ),
      );
    return [server.stdout, server.stderr, ...texts].join('\n');
  }

  function expectNone(text: string): void {
    const leaked = [...canaries].flatMap(([place, word]) => {
      const at = text.indexOf(word);
      return at === -1 ? [] : `${place}: ${text.slice(Math.max(0, at - 300), at + 60)}`;
    });
    expect(leaked).toEqual([]);
  }

  it('are in no log, whatever is asked and whatever fails', async () => {
    redis.push(await RedisProcess.start({ args: ['--requirepass', canary('the right password of Redis')] }));
    const login = `:${canary('the right password of Redis')}@`;
    const server = await start({ REDIS_URL: `redis://${login}127.0.0.1:${redis[0]!.port}` });
    const statuses = await use(server);
    await redis[0]!.remove();
    await until('Redis is missed', async () => {
      await send(
        server,
        { method: 'POST', path: '/api/v1/predict/line' },
        { ...headers(), 'Content-Type': 'application/json' },
        '{"instances":[[7]]}',
      );
      return server.stdout.includes('redis is away');
    });
    const marker = `/seen-${randomBytes(8).toString('hex')}`;
    await send(server, { method: 'GET', path: marker }, headers());
    await server.stop('SIGTERM');

    expect([...statuses]).toEqual(expect.arrayContaining([200, 201, 400, 401, 404, 409, 412, 415, 422, 504]));
    const text = written(server);
    expect(text.split(marker).length - 1).toBe(2); // what is looked for is found, in standard output and in a file
    expect(canaries.size).toBeGreaterThanOrEqual(50);
    expectNone(text);
  }, 180_000);

  it('of Redis are not told where it refuses them', async () => {
    redis.push(await RedisProcess.start({ args: ['--requirepass', 'another'] }));
    const login = `${canary('user of Redis')}:${canary('a wrong password of Redis')}@`;
    const server = await start({ REDIS_URL: `redis://${login}127.0.0.1:${redis.at(-1)!.port}` });
    await until('Redis refuses', () => server.stdout.includes('redis is away'));
    await server.stop('SIGTERM');
    expectNone(written(server));
  }, 60_000);

  it('in settings that are wrong are not told', async () => {
    const [url, key, cache] = [
      `redis://u:${canary('Redis in bad settings')}@:nowhere`,
      `${canary('bad API_KEY')} x`,
      `${canary('bad CACHE_SECRET')} x`,
    ];
    const server = servers.launch({ REDIS_URL: url, API_KEY: key, CACHE_SECRET: cache });
    expect((await server.ended()).code).toBe(78);
    expect(server.stderr.match(/\(not shown\)/g)).toHaveLength(3);
    expectNone(server.stdout + server.stderr);
  });
});

function withoutConditions({ 'If-Match': _match, 'If-None-Match': _none, 'Idempotency-Key': _key, ...rest }: Record<string, string>) {
  return rest;
}
