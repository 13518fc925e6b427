import { setTimeout as sleep } from 'node:timers/promises';
import { OpenedCache, keyOf, valueOf } from './opened-cache';
import { RedisProcess, describeWithRedis } from './redis-process';
import { TOXICS, type Toxic, ToxicProxy } from './toxic-proxy';

const KEYS = Array.from({ length: 200 }, (_, at) => keyOf(at));
const TOXIC_MS = 1500;
const COMMAND_MS = 20;

/** What came of asking all the time. */
interface Outcome {
  asked: number;
  wrong: number;
  rejected: number;
  slowestMs: number;
  /** The breaker was not closed at some time. */
  opened: boolean;
  /** The longest that asking took while it was not. */
  slowestOpenMs: number;
  recoveredMs: number;
}

/** A cache that asks through a poisoned network, and then through a good one. */
async function suffer(redis: RedisProcess, toxic: Toxic): Promise<Outcome> {
  const proxy = await ToxicProxy.before(redis.port);
  const opened = await OpenedCache.connected(proxy.url, { entries: 1 }, COMMAND_MS); // so that Redis is asked nearly always
  try {
    proxy.poison(toxic);
    const outcome = await askAWhile(opened);
    proxy.poison('none');
    const since = performance.now();
    await opened.found(8000);
    return { ...outcome, recoveredMs: performance.now() - since };
  } finally {
    await opened.close();
    await proxy.close();
  }
}

async function askAWhile({ cache }: OpenedCache): Promise<Outcome> {
  const outcome: Outcome = { asked: 0, wrong: 0, rejected: 0, slowestMs: 0, opened: false, slowestOpenMs: 0, recoveredMs: Number.NaN };
  const until = performance.now() + TOXIC_MS;
  while (performance.now() < until) {
    outcome.opened ||= !cache.hasSecondTier;
    await Promise.all(Array.from({ length: 10 }, () => askOnce(cache, outcome)));
    await sleep(5);
  }
  return outcome;
}

async function askOnce(cache: OpenedCache['cache'], outcome: Outcome): Promise<void> {
  const key = KEYS[Math.floor(Math.random() * KEYS.length)] as string;
  const open = !cache.hasSecondTier;
  const since = performance.now();
  try {
    const found = cache.peek(key) ?? (await cache.get(key));
    if (found !== undefined && found.value !== valueOf(key)) outcome.wrong++;
  } catch {
    outcome.rejected++;
  }
  cache.put(key, valueOf(key), 60_000);
  outcome.asked++;
  const ms = performance.now() - since;
  outcome.slowestMs = Math.max(outcome.slowestMs, ms);
  if (open) outcome.slowestOpenMs = Math.max(outcome.slowestOpenMs, ms);
}

describeWithRedis('a poisoned way to Redis', () => {
  let redis: RedisProcess;
  let outcomes: ReadonlyMap<Toxic, Outcome>;

  // all at once, since most of it is waiting
  beforeAll(async () => {
    redis = await RedisProcess.start();
    const healthy = await OpenedCache.connected(redis.url);
    await healthy.store(KEYS);
    await healthy.close();
    outcomes = new Map(await Promise.all(TOXICS.map(async (toxic) => [toxic, await suffer(redis, toxic)] as const)));
  }, 40_000);
  afterAll(() => redis?.remove());

  describe.each(TOXICS)('%s', (toxic) => {
    const outcome = (): Outcome => outcomes.get(toxic) as Outcome;

    it('fails nobody, and gives nobody what belongs to another', () => {
      const { asked, rejected, wrong } = outcome();
      expect({ rejected, wrong }).toEqual({ rejected: 0, wrong: 0 });
      expect(asked).toBeGreaterThan(100);
    });

    it('keeps nobody for long, and nobody at all once the breaker is open', () => {
      const { slowestMs, slowestOpenMs } = outcome();
      expect(slowestMs).toBeLessThan(400); // 20 ms, on a machine that does a thousand other things
      expect(slowestOpenMs).toBeLessThan(200);
    });

    it('is over within 5 s once it is over', () => {
      expect(outcome().recoveredMs).toBeLessThan(5000 + 1000);
    });
  });

  it.each(TOXICS.filter((toxic) => toxic !== 'slicer'))('opens the breaker: %s', (toxic) => {
    expect(outcomes.get(toxic)?.opened).toBe(true);
  });
});
