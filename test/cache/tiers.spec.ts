import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../process/processes';
import { OpenedCache, keyOf, valueOf } from './opened-cache';
import { RedisProcess, describeWithRedis } from './redis-process';

describeWithRedis('two tiers over a real Redis', () => {
  let redis: RedisProcess;
  let one: OpenedCache;
  let other: OpenedCache;

  beforeAll(async () => {
    redis = await RedisProcess.start();
    [one, other] = await Promise.all([OpenedCache.connected(redis.url), OpenedCache.connected(redis.url)]);
  });
  afterAll(async () => {
    await Promise.all([one?.close(), other?.close()]);
    await redis?.remove();
  });
  beforeEach(async () => {
    await one.cache.clear();
    await until('the other one has heard of it', () => other.cache.figures().memory.entries === 0);
    await sleep(60); // what has been heard is passed on by then
  });

  it('finds in one server what another has stored, and then in memory', async () => {
    const key = keyOf(1);
    await one.store([key]);
    expect(other.cache.peek(key)).toBeUndefined();
    expect(await other.cache.get(key)).toMatchObject({ value: valueOf(key), tier: 'redis' });
    expect(other.cache.peek(key)).toMatchObject({ value: valueOf(key), tier: 'memory' });
  });

  it('promotes for what is left of its life, and no longer', async () => {
    const key = keyOf(2);
    await one.store([key], 1000);
    const storedAt = performance.now();
    await sleep(500);
    const { ageMs } = (await other.cache.get(key))!;
    expect(ageMs).toBeGreaterThanOrEqual(400);
    expect(other.cache.peek(key)!.ageMs).toBeGreaterThanOrEqual(ageMs);
    await until('it is forgotten', () => other.cache.peek(key) === undefined);
    expect(performance.now() - storedAt).toBeLessThan(1300); // a whole life from the promotion on would be 1400 at least
  });

  it('writes one text in base64, which dies by itself, under the key as it is', async () => {
    const key = keyOf(3);
    await one.store([key], 60_000);
    const [text, ttl] = await redis.ask((client) => Promise.all([client.get(key), client.pTTL(key)]));
    expect(text).toMatch(/^"[A-Za-z0-9+/]+=*"$/);
    expect(ttl).toBeGreaterThan(50_000);
    expect(ttl).toBeLessThanOrEqual(60_000);
  });

  it('gives lives that differ by up to a tenth', async () => {
    const keys = Array.from({ length: 50 }, (_, at) => keyOf(100 + at));
    await one.store(keys, 100_000);
    const lives = await redis.ask((client) => Promise.all(keys.map((key) => client.pTTL(key))));
    expect(Math.min(...lives)).toBeGreaterThan(88_000);
    expect(Math.max(...lives)).toBeLessThanOrEqual(100_000);
    expect(Math.max(...lives) - Math.min(...lives)).toBeGreaterThan(3000);
  });

  it('keeps what is too large for Redis in memory', async () => {
    const key = keyOf(4);
    const large = `answer to ${'x'.repeat(300_000)}`;
    one.cache.put(key, large, 60_000);
    await one.settled();
    expect(one.cache.peek(key)?.value).toBe(large);
    expect(await other.cache.get(key)).toBeUndefined();
  });

  it('has a bounded number of values on their way to Redis', async () => {
    const before = one.cache.figures().redis!.failures;
    for (let at = 0; at < 1000; at++) one.cache.put(keyOf(at), valueOf(keyOf(at)), 60_000);
    await one.settled();
    expect(one.cache.figures().redis!.failures - before).toBe(1000 - 256);
    expect(await redis.ask((client) => client.dbSize())).toBe(256);
    expect(one.cache.figures().memory.entries).toBe(1000);
    for (let at = 0; at < 100; at++) one.cache.put(keyOf(at, 'f'.repeat(64)), `answer to ${'x'.repeat(100_000)}`, 60_000);
    await one.settled();
    expect(await redis.ask((client) => client.dbSize())).toBe(256 + 83);
  });

  it('stores nothing that lives for no time', async () => {
    one.cache.put(keyOf(5), valueOf(keyOf(5)), 0);
    await one.settled();
    expect(one.cache.peek(keyOf(5))).toBeUndefined();
    expect(await redis.ask((client) => client.exists(keyOf(5)))).toBe(0);
  });

  it('does not bring back by a late promotion what was cleared meanwhile', async () => {
    const key = keyOf(6);
    await one.store([key]);
    const asked = other.cache.get(key);
    const cleared = other.cache.clear();
    await Promise.all([asked, cleared]);
    expect(other.cache.peek(key)).toBeUndefined();
  });

  describe('clear', () => {
    const mine = (at: number): string => keyOf(at, 'a'.repeat(64));
    const theirs = (at: number): string => keyOf(at, 'b'.repeat(64));

    it('forgets what begins so in both tiers and in other servers, counts it once, and leaves the rest', async () => {
      const keys = Array.from({ length: 1200 }, (_, at) => mine(at));
      await one.store(keys);
      await one.store([theirs(1)]);
      await other.cache.get(mine(7));
      expect(other.cache.peek(mine(7))).toBeDefined();
      expect(await one.cache.clear(`aapi:${'a'.repeat(64)}:`)).toBe(1200);
      expect(one.cache.peek(mine(7))).toBeUndefined();
      expect(await one.cache.get(mine(7))).toBeUndefined();
      expect(one.cache.peek(theirs(1))).toBeDefined();
      await until('the other server has heard of it', () => other.cache.peek(mine(7)) === undefined);
      expect(await other.cache.get(theirs(1))).toBeDefined();
      expect(await other.cache.clear()).toBe(1);
    });

    it('counts what is in Redis only, and what is in memory only', async () => {
      await one.store([mine(1), mine(2)]);
      await redis.ask((client) => client.del(mine(1)));
      await other.store([mine(3)]);
      expect(await one.cache.clear()).toBe(3);
    });

    it('takes a prefix as it is written', async () => {
      await one.store([keyOf(1), 'aapi:[a]*?\\:x', 'aapi:a:x']);
      expect(await one.cache.clear('aapi:[a]*?\\:')).toBe(1);
      expect(one.cache.peek('aapi:a:x')).toBeDefined();
      expect(await other.cache.get('aapi:a:x')).toBeDefined();
    });

    it('touches no key of others', async () => {
      await redis.ask((client) => client.set('session:1', 'theirs'));
      await one.store([keyOf(1)]);
      await one.cache.clear();
      expect(await redis.ask((client) => client.get('session:1'))).toBe('theirs');
    });

    it.each(['', 'nonsense', 'x aapi:', `${'0'.repeat(36)} ${'p'.repeat(300)}`, `${'-'.repeat(36)} with space`, '\r\n*1\r\n'])(
      'does nothing on the message %j',
      async (message) => {
        await one.store([keyOf(1)]);
        expect(await redis.ask((client) => client.publish('aapi:clear', message))).toBe(2);
        await sleep(100);
        expect(one.cache.peek(keyOf(1))).toBeDefined();
      },
    );

    it('forgets all of its memory where more is shouted than it listens to', async () => {
      await one.store([keyOf(1)]);
      await redis.ask(async (client) => {
        for (let at = 0; at < 40; at++) await client.publish('aapi:clear', `${'0'.repeat(36)} aapi:${at}:`);
      });
      await until('all is forgotten', () => one.cache.peek(keyOf(1)) === undefined);
      expect(one.cache.figures().memory.entries).toBe(0);
    });

    it('does no harm where the message is lost', async () => {
      await one.store([keyOf(1)]);
      await other.cache.get(keyOf(1));
      await redis.ask((client) => client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']));
      await until('nobody listens', () => other.cache.figures().redis?.listening === false);
      expect(await one.cache.clear()).toBe(1);
      expect(other.cache.peek(keyOf(1))?.value).toBe(valueOf(keyOf(1)));
      await until('both listen again', () => [one, other].every(({ cache }) => cache.figures().redis?.listening));
    });
  });

  it('shows how it is doing', async () => {
    const before = one.cache.figures();
    await one.store([keyOf(1)]);
    one.cache.peek(keyOf(1));
    one.cache.peek(keyOf(2));
    await one.cache.get(keyOf(2));
    const { memory, redis: second } = one.cache.figures();
    expect(memory).toMatchObject({ entries: 1, maxEntries: 100_000, maxBytes: 64 * 2 ** 20 });
    expect(memory.bytes).toBeGreaterThan(valueOf(keyOf(1)).length);
    expect([memory.hits - before.memory.hits, memory.misses - before.memory.misses]).toEqual([1, 1]);
    expect(second).toMatchObject({ breaker: 'closed', listening: true, failures: before.redis!.failures });
    expect(second!.misses - before.redis!.misses).toBe(1);
  });
});
