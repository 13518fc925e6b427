import { freePort, RedisProcess } from '../cache/redis-process';
import { linear } from '../onnx/models';
import { hostsOf, until } from '../process/processes';
import { type ServerProcess, Servers } from '../process/server-process';
import { Monitoring } from './monitoring';

const FIRES_MS = 20_000;
const OVER_MS = 25_000;
const TEST_MS = 60_000;
const ENDS = 8;

const servers = new Servers();
let redis: RedisProcess;
let server: ServerProcess;
let monitoring: Monitoring;
let settings: Readonly<Record<string, string>>;

describe('through a real Prometheus and a real Alertmanager, minutes as seconds', () => {
  beforeAll(async () => {
    redis = await RedisProcess.start();
    const port = String(await freePort());
    settings = { PORT: port, REDIS_URL: redis.url, EXAMPLES: 'off', MODEL_ISOLATION: 'always', DRAIN_SECONDS: '0', CACHE_TTL_SECONDS: '0' };
    server = await servers.start(settings);
    await server.serve('double', linear([[2]]));
    monitoring = await Monitoring.start(`127.0.0.1:${port}`, { minutes: 'as seconds' });
  }, TEST_MS);
  afterAll(async () => {
    await monitoring?.remove();
    await servers.remove();
    await redis?.remove();
  });

  /** It was told to those who must know, and that it is over too. */
  const told = (name: string, how: 'firing' | 'resolved'): Promise<unknown> =>
    until(`${how} ${name} is told`, () => monitoring.told.includes(`${how} ${name}`), OVER_MS);

  it(
    'nothing fires that asks for a fault while all is well',
    async () => {
      await until(
        'all three are scraped, twice',
        async () => (await monitoring.query('count_over_time(up[30s]) > 1')).length === 3,
        FIRES_MS,
      );
      const faults = (await monitoring.alerts()).map(({ labels }) => labels['alertname']);
      expect(faults.filter((name) => ['AnalyticsApiDown', 'RedisLost', 'EngineHostCrashLoop'].includes(String(name)))).toEqual([]);
    },
    TEST_MS,
  );

  it(
    'a Redis that is lost is told, and that it is back',
    async () => {
      await redis.kill();
      const { receivers, labels, annotations } = await monitoring.fires('RedisLost', FIRES_MS);
      expect({ receivers, labels }).toMatchObject({
        receivers: [{ name: 'ticket' }],
        labels: { severity: 'warning', job: 'analytics-api' },
      });
      expect(annotations['runbook_url']).toMatch(/\/runbooks\/RedisLost\.md$/);
      await told('RedisLost', 'firing');
      await redis.begin();
      await monitoring.resolves('RedisLost', OVER_MS);
      await told('RedisLost', 'resolved');
    },
    TEST_MS,
  );

  it(
    'engine processes that end again and again are told, and that it is over',
    async () => {
      for (let ended = 0; ended < ENDS; ended++) {
        await until('an engine process works', async () => (await server.predict('double', { instances: [[21]] })).status === 200);
        for (const pid of hostsOf(server.pid)) process.kill(pid, 'SIGKILL');
        await until('it is gone', async () => {
          const [value] = await monitoring.query('sum(engine_host_ends_total)');
          return Number(value?.value[1] ?? 0) > ended;
        });
      }
      const { receivers } = await monitoring.fires('EngineHostCrashLoop', FIRES_MS);
      expect(receivers).toEqual([{ name: 'page' }]);
      await told('EngineHostCrashLoop', 'firing');
      await monitoring.resolves('EngineHostCrashLoop', OVER_MS);
      await told('EngineHostCrashLoop', 'resolved');
    },
    TEST_MS,
  );

  it(
    'a service that is gone is told, alone, and that it is back',
    async () => {
      await server.kill();
      const { receivers, annotations } = await monitoring.fires('AnalyticsApiDown', FIRES_MS);
      expect(receivers).toEqual([{ name: 'page' }]);
      expect(annotations['description']).toContain(`127.0.0.1:${settings['PORT']}`);
      await told('AnalyticsApiDown', 'firing');
      expect((await monitoring.alerts()).filter(({ labels }) => labels['instance'] !== undefined)).toHaveLength(1);
      server = await servers.start(settings);
      await monitoring.resolves('AnalyticsApiDown', OVER_MS);
      await told('AnalyticsApiDown', 'resolved');
    },
    TEST_MS,
  );
});
