import { describeInProcess } from '../e2e/test-app';
import { describeWithRedis, RedisProcess } from './redis-process';
import { type Sufferings, suffer } from './toxic-predictions-suite';
import { TOXICS, type Toxic } from './toxic-proxy';

/** A container would look for it on its own loopback. */
const describeHere = describeInProcess === describe ? describeWithRedis : describeInProcess;

describeHere('predictions of a server whose way to Redis is poisoned', () => {
  let redis: RedisProcess;
  let found: ReadonlyMap<Toxic, Sufferings>;

  // all at once, since most of it is waiting
  beforeAll(async () => {
    redis = await RedisProcess.start();
    const times = { healthyMs: 200, toxicMs: 1200 };
    found = new Map(await Promise.all(TOXICS.map(async (toxic) => [toxic, await suffer(redis, toxic, times)] as const)));
  }, 60_000);
  afterAll(() => redis?.remove());

  it.each(TOXICS)('are all right: %s', (toxic) => {
    const { healthy, poisoned, broken, wrong } = found.get(toxic) as Sufferings;
    expect(wrong).toEqual([]);
    expect(healthy.length).toBeGreaterThan(10);
    expect(poisoned.length + broken.length).toBeGreaterThan(20);
  });
});
