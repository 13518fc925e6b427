import { describeWithRedis, RedisProcess } from '../cache/redis-process';
import { suffer } from '../cache/toxic-predictions-suite';
import { TOXICS } from '../cache/toxic-proxy';

const SECONDS = 15;
/** What the requirement RS-20 allows a poisoned Redis to cost, ms: before the breaker is open, and after. */
const [BEFORE_MS, AFTER_MS] = [25, 2];

const p99 = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0;

describeWithRedis('what a poisoned way to Redis costs a prediction', () => {
  let redis: RedisProcess;
  beforeAll(async () => {
    redis = await RedisProcess.start();
  });
  afterAll(() => redis?.remove());

  it.each(TOXICS)(
    '%s',
    async (toxic) => {
      const { healthy, poisoned, broken, wrong } = await suffer(redis, toxic, { healthyMs: SECONDS * 1000, toxicMs: SECONDS * 1000 });
      const [usual, before, after] = [healthy, poisoned, broken].map(p99) as [number, number, number];
      const about = [usual, before, after].map((ms) => ms.toFixed(1)).join(' / ');
      console.log(
        `${toxic}: p99 ${about} ms healthy / poisoned / broken of ${healthy.length} / ${poisoned.length} / ${broken.length} calls`,
      );
      expect(wrong).toEqual([]);
      expect(before - usual).toBeLessThan(BEFORE_MS);
      expect(after - usual).toBeLessThan(AFTER_MS);
    },
    SECONDS * 4000,
  );
});
