import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { register } from 'prom-client';
import { until } from '../process/processes';
import { OpenedCache, keyOf, valueOf } from './opened-cache';
import { RedisProcess, describeWithRedis, freePort } from './redis-process';

const RECOVERY_MS = 6000;

/** Asks and stores for a while. @returns how long the slowest took, and how many answers were wrong */
async function use({ cache }: OpenedCache, ms: number): Promise<{ slowestMs: number; wrong: number }> {
  const used = { slowestMs: 0, wrong: 0 };
  const end = performance.now() + ms;
  for (let at = 0; performance.now() < end; at++) {
    const key = keyOf(at % 500);
    const since = performance.now();
    const found = await cache.get(key);
    if (found !== undefined && found.value !== valueOf(key)) used.wrong++;
    cache.put(key, valueOf(key), 60_000);
    used.slowestMs = Math.max(used.slowestMs, performance.now() - since);
    await sleep(2);
  }
  return used;
}

describeWithRedis('a Redis that is not well', () => {
  const started: RedisProcess[] = [];
  const opened: OpenedCache[] = [];
  const start = async (options?: Parameters<typeof RedisProcess.start>[0]): Promise<RedisProcess> => {
    const redis = await RedisProcess.start(options);
    started.push(redis);
    return redis;
  };
  const connect = async (redis: RedisProcess, commandMs?: number): Promise<OpenedCache> => {
    const cache = await OpenedCache.connected(redis.url, {}, commandMs);
    opened.push(cache);
    return cache;
  };
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((cache) => cache.close()));
    await Promise.all(started.splice(0).map((redis) => redis.remove()));
  });

  it('stops in the middle: the breaker opens, and closes when it goes on', async () => {
    const redis = await start();
    const cache = await connect(redis, 20);
    redis.signal('SIGSTOP');
    const { slowestMs, wrong } = await use(cache, 1500);
    expect(cache.cache.hasSecondTier).toBe(false);
    expect(wrong).toBe(0);
    expect(slowestMs).toBeLessThan(400);
    redis.signal('SIGCONT');
    await cache.found(RECOVERY_MS);
    expect((await use(cache, 200)).wrong).toBe(0);
  });

  it('is said to be away, and to be there again, once each, in log and figures', async () => {
    const [warn, log] = [jest.spyOn(Logger.prototype, 'warn'), jest.spyOn(Logger.prototype, 'log')];
    const redis = await start();
    const cache = await connect(redis);
    const shown = async (): Promise<unknown> => {
      const metric = await register.getSingleMetric('cache_breaker_state')?.get();
      return metric?.values.find(({ value }) => value === 1)?.labels['state'];
    };
    const said = (): unknown => [warn, log].map(({ mock }) => mock.calls.filter(([line]) => String(line).startsWith('redis is')).length);
    expect(await shown()).toBe('closed');
    expect(said()).toEqual([0, 1]);
    await redis.kill();
    await until('it is noticed', () => cache.cache.figures().redis?.breaker === 'open');
    expect(await shown()).toBe('open');
    await redis.begin();
    await cache.found(RECOVERY_MS);
    expect(await shown()).toBe('closed');
    expect(said()).toEqual([1, 2]);
    expect(warn.mock.calls[0]?.[1]).toEqual({ reason: expect.any(String) });
    jest.restoreAllMocks();
  });

  it('is killed and comes back empty', async () => {
    const redis = await start();
    const cache = await connect(redis);
    await cache.store([keyOf(1)]);
    await redis.kill();
    await until('it is noticed', () => !cache.cache.hasSecondTier);
    expect(await cache.cache.get(keyOf(1))).toBeUndefined();
    expect(cache.cache.peek(keyOf(1))?.value).toBe(valueOf(keyOf(1)));
    await redis.begin();
    await cache.found(RECOVERY_MS);
    expect(await cache.cache.get(keyOf(1))).toBeUndefined();
    await cache.store([keyOf(2)]);
    expect((await cache.cache.get(keyOf(2)))?.value).toBe(valueOf(keyOf(2)));
    await until('it hears others again', () => cache.cache.figures().redis?.listening, RECOVERY_MS);
  });

  it('comes later than the server does', async () => {
    const port = await freePort();
    const cache = await OpenedCache.open({ redisUrl: `redis://127.0.0.1:${port}` });
    opened.push(cache);
    expect(cache.cache.hasSecondTier).toBe(false);
    cache.cache.put(keyOf(1), valueOf(keyOf(1)), 60_000);
    expect(cache.cache.peek(keyOf(1))?.value).toBe(valueOf(keyOf(1)));
    expect(await cache.cache.get(keyOf(1))).toBeUndefined();
    expect(await cache.cache.clear()).toBe(1);
    await start({ port });
    await cache.found(RECOVERY_MS);
  });

  it('has become a replica: the connection is given up, since the address may belong to another one by now', async () => {
    const redis = await start();
    const cache = await connect(redis);
    await redis.ask((client) => client.sendCommand(['REPLICAOF', '127.0.0.1', '1']));
    await use(cache, 300);
    expect(cache.cache.figures().redis?.failures).toBeGreaterThan(0);
    await until('it is given up', async () => {
      await use(cache, 50);
      return !cache.cache.hasSecondTier;
    });
    await redis.ask((client) => client.sendCommand(['REPLICAOF', 'NO', 'ONE']));
    await cache.found(RECOVERY_MS);
    await cache.store([keyOf(700)]);
    await until('it stays', async () => (await cache.cache.get(keyOf(700)))?.value === valueOf(keyOf(700)), RECOVERY_MS);
  });

  it('is still loading its data', async () => {
    const redis = await start();
    const cache = await connect(redis);
    const values = Array.from({ length: 15 }, (_, at): [string, string] => [`other:${at}`, randomBytes(5000).toString('latin1')]);
    await redis.ask(async (client) => (await client.mSet(values), client.sendCommand(['SAVE'])));
    await redis.kill();
    await redis.begin(['--key-load-delay', '100000', '--loading-process-events-interval-bytes', '1024']);
    await expect(redis.ask((client) => client.ping())).rejects.toThrow('LOADING');
    expect(cache.cache.hasSecondTier).toBe(false);
    expect(await cache.cache.get(keyOf(1))).toBeUndefined();
    await cache.found(RECOVERY_MS);
    expect(await redis.ask((client) => client.ping())).toBe('PONG');
  });

  it('is full: what it has is read all the same', async () => {
    const redis = await start();
    const cache = await connect(redis);
    await cache.store([keyOf(1)]);
    await redis.ask((client) => client.sendCommand(['CONFIG', 'SET', 'maxmemory', '1', 'maxmemory-policy', 'noeviction']));
    for (let at = 10; at < 60; at++) cache.cache.put(keyOf(at), valueOf(keyOf(at)), 60_000);
    await cache.settled();
    expect(cache.cache.figures().redis?.failures).toBe(50);
    expect(cache.cache.hasSecondTier).toBe(true);
    expect((await cache.cache.get(keyOf(1)))?.value).toBe(valueOf(keyOf(1)));
  });

  it('asks for a password that it did not ask for before', async () => {
    const redis = await start();
    const cache = await connect(redis);
    await redis.ask((client) => client.sendCommand(['CONFIG', 'SET', 'requirepass', 'secret']));
    await redis.ask((client) => client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal']), ':secret@').catch(() => undefined);
    await until('it is noticed', () => !cache.cache.hasSecondTier);
    expect(await cache.cache.get(keyOf(1))).toBeUndefined();
    await redis.ask((client) => client.sendCommand(['CONFIG', 'SET', 'requirepass', '']), ':secret@');
    await cache.found(RECOVERY_MS);
  });

  it('refuses a wrong password, and takes the right one', async () => {
    const redis = await start({ args: ['--requirepass', 'right p@ss'], login: ':right%20p%40ss@' });
    const wrong = await OpenedCache.open({ redisUrl: redis.url.replace('right', 'wrong') });
    opened.push(wrong);
    const right = await connect(redis);
    await right.store([keyOf(1)]);
    expect((await right.cache.get(keyOf(1)))?.value).toBe(valueOf(keyOf(1)));
    expect(wrong.cache.hasSecondTier).toBe(false);
  });

  it('is asked in the database that its URL names', async () => {
    const redis = await start();
    const cache = await OpenedCache.connected(`${redis.url}/3`);
    opened.push(cache);
    await cache.store([keyOf(1)]);
    expect(await redis.ask((client) => client.exists(keyOf(1)))).toBe(0);
    expect(await redis.ask(async (client) => (await client.select(3), client.exists(keyOf(1))))).toBe(1);
  });

  it('does not keep the server from stopping while it is away or silent', async () => {
    const away = await OpenedCache.open({ redisUrl: `redis://127.0.0.1:${await freePort()}` });
    const redis = await start();
    const silent = await OpenedCache.connected(redis.url);
    redis.signal('SIGSTOP');
    const asked = silent.cache.get(keyOf(1));
    const since = performance.now();
    await Promise.all([away.close(), silent.close()]);
    expect(performance.now() - since).toBeLessThan(3000);
    expect(await asked).toBeUndefined();
  });
});
