import { appendFile, chmod, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisProcess } from '../cache/redis-process';
import { sendRaw } from '../e2e/raw-socket';
import { endlessLoop, linear } from '../onnx/models';
import { until } from '../process/processes';
import { type ServerProcess, Servers } from '../process/server-process';
import { AWAITED_SERIES } from './awaited';
import { dashboards, filledIn } from './dashboard-files';
import { Monitoring } from './monitoring';
import { seriesOf } from './promql';

const TEST_MS = 120_000;
const ROUNDS = 3;
const BETWEEN_MS = 1200;
const WINDOW = '2m';
const PATIENCE_MS = 15_000;

const servers = new Servers();
let redis: RedisProcess;
let server: ServerProcess;
let monitoring: Monitoring;
/** Callers who go on while Prometheus is asked, so that nothing is a memory. */
let load: Promise<void>;
let over = false;

const QUERIES = dashboards().flatMap(([name, { panels }]) =>
  panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [name, title, expr] as const)),
);
const awaited = ([, , expr]: (typeof QUERIES)[number]): boolean => seriesOf(expr).some((series) => AWAITED_SERIES.has(series));

describe('a real Prometheus that scraped a real run', () => {
  beforeAll(async () => {
    redis = await RedisProcess.start();
    server = await servers.start({ REDIS_URL: redis.url, CACHE_ENTRIES: '2', MAX_CALLS_PER_MODEL: '2', MIN_FREE_BYTES: '0' });
    await server.serve('line', linear([[2]]));
    await server.serve('endless', endlessLoop(), { deadlineMs: 200 });
    monitoring = await Monitoring.start(new URL(server.origin).host, { minutes: 'as seconds' });
    load = goOn();
    for (let round = 0; round < ROUNDS; round++) {
      await everything(round);
      await sleep(BETWEEN_MS); // Prometheus looks twice
    }
  }, TEST_MS);
  afterAll(async () => {
    over = true;
    await load;
    await monitoring?.remove();
    await servers.remove();
    await redis?.remove();
  });

  it.each(QUERIES.filter((query) => !awaited(query)))('%s, %s: %s', async (_, __, expr) => {
    // what may be nothing is data only where there is something
    const asked = filledIn(expr, WINDOW).replace(/ or vector\(0\)$/, '');
    await until('it has data', async () => (await monitoring.query(asked)).some(({ value: [, value] }) => value !== 'NaN'), PATIENCE_MS);
  });

  it('tells how many queries wait for their series', () => {
    expect(QUERIES.length).toBeGreaterThan(100);
    expect(QUERIES.filter(awaited).length).toBeLessThan(QUERIES.length / 8);
  });
});

async function goOn(): Promise<void> {
  for (let x = 0; !over; x++) {
    await server.predict('line', { instances: [[x % 4]] }).catch(() => undefined);
    await sleep(20);
  }
}

/** Whatever is drawn happens here once more. */
async function everything(round: number): Promise<void> {
  await server.predict('nobody', { instances: [[1]] });
  await server.predict('line', { instances: [['one']] });
  await sendRaw(server.origin, 'no request\r\n\r\n');
  await Promise.all([1, 2, 3, 4].map((x) => server.predict('endless', { instances: [[x]] })));
  await forget();
  await server.ask('POST', '/api/v1/backups');
  await server.ask('POST', '/api/v1/backups/latest/verify', {});
  await server.ask('POST', '/api/v1/backups/drill', {});
  await server.ask('POST', '/api/v1/backups/prune', {});
  await failBackup(round);
  await failUpload();
  await failLoad(`damaged-${round}`);
  await server.serve(`other-${round}`, linear([[round]]));
}

/** An entry in Redis that nobody believes, and a Redis that does not answer. */
async function forget(): Promise<void> {
  const keys = await redis.ask((client) => client.keys('aapi:*'));
  for (const key of keys) await redis.ask((client) => client.set(key, 'garbage'));
  await sleep(200);
  redis.signal('SIGSTOP');
  await sleep(200);
  redis.signal('SIGCONT');
}

async function failBackup(round: number): Promise<void> {
  const blobs = join(server.modelsDir, '..', 'backups', 'blobs');
  await rename(blobs, `${blobs}-away`);
  await writeFile(blobs, '');
  await server.serve(`new-${round}`, linear([[round, 1]]));
  await server.ask('POST', '/api/v1/backups');
  await rm(blobs);
  await rename(`${blobs}-away`, blobs);
}

async function failUpload(): Promise<void> {
  const staging = join(server.modelsDir, '.staging');
  await rename(staging, `${staging}-away`);
  await writeFile(staging, '');
  const form = new FormData();
  form.set('name', 'third');
  form.set('file', new Blob([Uint8Array.from(linear([[4]]))]), 'model.onnx');
  await server.ask('POST', '/api/v1/models', form);
  await rm(staging);
  await rename(`${staging}-away`, staging);
}

/** A model whose file is not what it was. */
async function failLoad(name: string): Promise<void> {
  await server.serve(name, linear([[name.length, Math.random()]]));
  const { body } = await server.get(`/api/v1/models/${name}/versions/1`);
  const digest = String(body.files[0].sha256);
  await server.ask('POST', `/v2/repository/models/${name}/unload`);
  const blob = join(server.modelsDir, 'blobs', 'sha256', digest.slice(0, 2), digest);
  await chmod(blob, 0o644);
  await appendFile(blob, 'x');
  await server.ask('POST', `/v2/repository/models/${name}/load`);
}
