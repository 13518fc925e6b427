import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { until } from '../process/processes';
import { OpenedCache, keyOf, valueOf } from './opened-cache';
import { RedisProcess, describeWithRedis } from './redis-process';

const ACL = readFileSync(join(__dirname, '..', '..', 'ops', 'redis', 'users.acl'), 'utf8');
const LOGIN = 'analytics-api:change-me@';
const ALLOWED = ['get', 'set', 'unlink', 'scan', 'ping', 'publish', 'subscribe', 'auth'];

/** Everything that the cache ever asks of a Redis. */
async function useAll(redis: RedisProcess): Promise<OpenedCache['cache']> {
  const [one, other] = await Promise.all([OpenedCache.connected(redis.url), OpenedCache.connected(redis.url)]);
  try {
    await one.store(Array.from({ length: 20 }, (_, at) => keyOf(at)));
    for (let at = 0; at < 30; at++) await other.cache.get(keyOf(at));
    await one.store([keyOf(100)], 1);
    await sleep(5);
    expect(await other.cache.get(keyOf(100))).toBeUndefined();
    expect(await one.cache.clear()).toBe(20);
    await until('the other one has heard of it', () => other.cache.figures().memory.entries === 0);
    expect([one, other].map(({ cache }) => cache.figures().redis!.failures)).toEqual([0, 0]);
    await one.store([keyOf(7)]);
    expect((await other.cache.get(keyOf(7)))?.value).toBe(valueOf(keyOf(7)));
    return one.cache;
  } finally {
    await Promise.all([one.close(), other.close()]);
  }
}

describeWithRedis('ops/redis/users.acl', () => {
  let redis: RedisProcess;
  beforeAll(async () => {
    redis = await RedisProcess.start({ acl: ACL, login: LOGIN });
  });
  afterAll(() => redis?.remove());

  it('allows everything that the cache does', async () => {
    expect((await useAll(redis)).figures().redis?.failures).toBe(0);
  });

  it.each([
    ['KEYS', '*'],
    ['FLUSHALL'],
    ['FLUSHDB'],
    ['CONFIG', 'GET', '*'],
    ['EVAL', 'return 1', '0'],
    ['GET', 'session:1'],
    ['SET', 'session:1', 'x'],
    ['DEL', 'aapi:1'],
    ['PUBLISH', 'news', 'x'],
    ['MONITOR'],
  ])('allows nothing else: %s', async (...command) => {
    await expect(redis.ask((client) => client.sendCommand(command))).rejects.toThrow('NOPERM');
  });

  it('may allow less: who may not listen is told so, and uses the rest', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn');
    const deaf = await RedisProcess.start({ acl: ACL.replace(' +subscribe', ''), login: LOGIN });
    const opened = await OpenedCache.open({ redisUrl: deaf.url });
    await opened.found();
    await opened.store([keyOf(1)]);
    expect(await opened.cache.clear()).toBe(1);
    await until('it is said', () => warn.mock.calls.some(([line]) => line === 'other servers are not heard when they clear'));
    warn.mockRestore();
    await opened.close();
    await deaf.remove();
  });

  it('lets in nobody who says nothing', async () => {
    await expect(redis.ask((client) => client.ping(), '')).rejects.toThrow('NOAUTH');
  });
});

describeWithRedis('what is sent to Redis', () => {
  it('is what the ACL allows, and nothing else', async () => {
    const redis = await RedisProcess.start();
    const seen: string[] = [];
    try {
      await redis.monitor((line) => seen.push(/"([^"]+)"/.exec(line)?.[1]?.toLowerCase() ?? ''));
      await useAll(redis);
      await until('all was seen', () => seen.includes('publish'));
      expect(seen.filter((command) => !ALLOWED.includes(command))).toEqual([]);
      expect([...new Set(seen)].sort()).toEqual(ALLOWED.filter((command) => command !== 'auth').sort());
    } finally {
      await redis.remove();
    }
  });
});
