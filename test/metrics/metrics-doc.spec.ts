import { mkdtempSync } from 'node:fs';
import { appendFile, chmod, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith, RedisProcess } from '../cache/redis-process';
import { sendRaw } from '../e2e/raw-socket';
import { endlessLoop, linear } from '../onnx/models';
import { until } from '../process/processes';
import { type ServerProcess, Servers } from '../process/server-process';
import { Scrape } from './scrape';

interface Figure {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

const DOC = join(__dirname, '..', '..', 'docs', 'METRICS.md');
const ROW = /^\| `([a-z0-9_]+)` +\| (counter|gauge|histogram) +\|([^|]*)\| ([^|]{5,}) \| `([^`]+)` +\|$/gm;

describeWith(['redis-server'], 'docs/METRICS.md', () => {
  const servers = new Servers();
  const backups = join(mkdtempSync(join(tmpdir(), 'analytics-api-metrics-')), 'backups');
  let redis: RedisProcess;
  let server: ServerProcess;
  let text: string;
  let documented: readonly Figure[];
  let scrape: Scrape;

  beforeAll(async () => {
    text = await readFile(DOC, 'utf8');
    documented = [...text.matchAll(ROW)].map(([, name = '', type = '', labels = '']) => ({
      name,
      type,
      labels: [...labels.matchAll(/`([a-z_]+)`/g)].map(([, label]) => label as string).sort(),
    }));
    redis = await RedisProcess.start();
    const settings = { REDIS_URL: redis.url, CACHE_ENTRIES: '1', MAX_CALLS_PER_MODEL: '1', EXAMPLES: 'off', BACKUPS_DIR: backups };
    server = await servers.start(settings);
    await doEverything(server, redis, backups);
    scrape = await Scrape.of(server.origin);
  }, 60_000);
  afterAll(async () => {
    await servers.remove();
    await redis.remove();
  });

  it('has a row of the right form for every line of its tables', () => {
    const rows = text.split('\n').filter((line) => line.startsWith('| `'));
    expect(rows.length).toBeGreaterThan(80);
    expect(documented).toHaveLength(rows.length);
    expect(new Set(documented.map(({ name }) => name)).size).toBe(rows.length);
  });

  it('lists every figure that a server tells, with its type, and no other', () => {
    const told = [...scrape.types].map(([name, type]) => `${type} ${name}`);
    expect(documented.map(({ name, type }) => `${type} ${name}`).sort()).toEqual(told.sort());
  });

  it('lists nothing that a server which did everything has not counted', () => {
    expect(documented.map(({ name }) => name).filter((name) => !scrape.has(name))).toEqual([]);
  });

  it('lists their labels', () => {
    const told = documented.map(({ name }) => ({ name, labels: scrape.labelsOf(name) }));
    expect(documented.map(({ name, labels }) => ({ name, labels }))).toEqual(told);
  });

  it('names them by the conventions: base units, and _total for what only grows', () => {
    const own = documented.filter(({ name }) => !name.startsWith('nodejs_'));
    const wrong = own.filter(
      ({ name, type }) => name.endsWith('_total') !== (type === 'counter') || /_(ms|millis|micros|kb|mb|mib|percent)(_|$)/.test(name),
    );
    expect(wrong).toEqual([]);
  });

  it('asks in each row for a figure that there is', () => {
    const names = new Set(
      documented.flatMap(({ name, type }) => [
        name,
        ...(type === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : []),
      ]),
    );
    const asked = [...text.matchAll(ROW)].map(([, name = '', , , , query = '']) => ({
      name,
      asked: [...query.matchAll(/\b[a-z]+(?:_[a-z0-9]+)+\b(?!\()/g)].map(([word]) => word),
    }));
    const odd = asked.filter(
      ({ name, asked: words }) => !words.some((word) => word.startsWith(name)) || words.some((word) => !names.has(word)),
    );
    expect(odd).toEqual([]);
  });
});

/** Whatever is counted happens here once. */
async function doEverything(server: ServerProcess, redis: RedisProcess, backups: string): Promise<void> {
  await server.serve('line', linear([[2]]));
  await server.serve('endless', endlessLoop(), { deadlineMs: 300 });
  await keepAndForget(server, redis);
  await fail(server);
  await comeTrue(server);
  await backUp(server, backups);
  await breakThings(server);
}

const line = (server: ServerProcess, x: number) => server.predict('line', { instances: [[x]] });

/** Hits and misses in both tiers, an entry that nobody believes, and a Redis that does not answer. */
async function keepAndForget(server: ServerProcess, redis: RedisProcess): Promise<void> {
  await until('Redis is asked', async () => (await Scrape.of(server.origin)).sum('cache_breaker_state', { state: 'closed' }) === 1);
  for (const x of [1, 1, 2]) expect((await line(server, x)).status).toBe(200);
  const keys = await until('both are in Redis', async () => {
    const found = await redis.ask((client) => client.keys('aapi:*'));
    return found.length === 2 ? found : undefined;
  });
  await line(server, 1); // from Redis
  await line(server, 2);
  for (const key of keys) await redis.ask((client) => client.set(key, 'garbage'));
  await line(server, 1);
  redis.signal('SIGSTOP');
  await line(server, 3);
  redis.signal('SIGCONT');
}

/** Refused, too late, and no request at all. */
async function fail(server: ServerProcess): Promise<void> {
  expect((await server.predict('nobody', { instances: [[1]] })).status).toBe(404);
  expect((await server.predict('line', { instances: [['one']] })).status).toBe(422);
  const endless = [1, 2, 3].map((x) => server.predict('endless', { instances: [[x]] }));
  expect((await Promise.all(endless)).map(({ status }) => status).sort()).toEqual([429, 429, 504]);
  expect((await sendRaw(server.origin, 'no request\r\n\r\n')).statuses).toEqual([400]);
}

/** Outcomes of a classifier and of a regressor, and inputs that are not what they were. */
async function comeTrue(server: ServerProcess): Promise<void> {
  await server.serve('kind', linear([[1, 2]]), { task: 'classification', labels: ['low', 'high'] });
  const baseline = { x: { edges: [0], shares: [0.5, 0.5] } };
  await server.serve('slope', linear([[2]]), { task: 'regression', featureNames: ['x'], baseline });
  const items = Array.from({ length: 300 }, (_, x) => ({ model: 'slope', version: 1, prediction: 2 * x, actual: x, features: { x } }));
  const told = [{ model: 'kind', version: 1, prediction: 'low', actual: 'high' }, ...items];
  expect((await server.ask('POST', '/api/v1/feedback', told)).status).toBe(200);
}

/** One that goes well, a prune and a drill; and where its place is broken a drill that fails, and one that cannot be written. */
async function backUp(server: ServerProcess, backups: string): Promise<void> {
  expect((await server.ask('POST', '/api/v1/backups')).status).toBe(201);
  expect((await server.ask('POST', '/api/v1/backups/prune', {})).status).toBe(200);
  const drill = () => server.ask('POST', '/api/v1/backups/drill', {});
  expect((await drill()).body).toMatchObject({ ok: true });
  const blobs = join(backups, 'blobs');
  await rename(blobs, `${blobs}-away`);
  await writeFile(blobs, '');
  expect((await drill()).body).toMatchObject({ ok: false });
  await server.serve('other', linear([[3]])); // there is something new to keep
  expect((await server.ask('POST', '/api/v1/backups')).status).toBeGreaterThanOrEqual(500);
  await rm(blobs);
  await rename(`${blobs}-away`, blobs);
}

/** A disk that fails, and a model that is not what it was. */
async function breakThings(server: ServerProcess): Promise<void> {
  const staging = join(server.modelsDir, '.staging');
  await rename(staging, `${staging}-away`);
  await writeFile(staging, '');
  const form = new FormData();
  form.set('name', 'third');
  form.set('file', new Blob([Uint8Array.from(linear([[4]]))]), 'model.onnx');
  expect((await server.ask('POST', '/api/v1/models', form)).status).toBeGreaterThanOrEqual(500);
  await rm(staging);
  await rename(`${staging}-away`, staging);
  expect((await server.ask('POST', '/v2/repository/models/line/unload')).status).toBe(200);
  const blobs = join(server.modelsDir, 'blobs', 'sha256');
  for (const name of await readdir(blobs, { recursive: true })) {
    if (name.length < 64) continue;
    await chmod(join(blobs, name), 0o644);
    await appendFile(join(blobs, name), 'x');
  }
  expect((await server.ask('POST', '/v2/repository/models/line/load')).status).toBeGreaterThanOrEqual(500);
}
