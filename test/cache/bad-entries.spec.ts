import { CacheMetrics } from '../../src/cache/cache.metrics';
import { OpenedCache, keyOf, valueOf } from './opened-cache';
import { RedisProcess, describeWithRedis } from './redis-process';

const SECRET = 'what only replicas know';

describeWithRedis('what stands in Redis', () => {
  let redis: RedisProcess;
  let plain: OpenedCache;
  let signing: OpenedCache;
  let bad: jest.SpyInstance;

  beforeAll(async () => {
    redis = await RedisProcess.start();
    [plain, signing] = await Promise.all([OpenedCache.connected(redis.url), OpenedCache.connected(redis.url, { secret: SECRET })]);
    bad = jest.spyOn(CacheMetrics.prototype, 'countBadEntry');
  });
  afterEach(() => bad.mockClear());
  afterAll(async () => {
    bad.mockRestore();
    await Promise.all([plain?.close(), signing?.close()]);
    await redis?.remove();
  });

  const read = (key: string): Promise<Buffer> =>
    redis.ask(async (client) => Buffer.from(JSON.parse((await client.get(key)) as string) as string, 'base64'));
  const write = (key: string, bytes: Buffer): Promise<unknown> =>
    redis.ask((client) => client.set(key, JSON.stringify(bytes.toString('base64'))));
  const change = async (key: string, how: (bytes: Buffer) => Buffer): Promise<void> => void (await write(key, how(await read(key))));
  const flip =
    (at: number) =>
    (bytes: Buffer): Buffer => {
      bytes.writeUInt8((bytes.at(at) as number) ^ 1, at < 0 ? bytes.length + at : at);
      return bytes;
    };

  it.each([
    ['one bit of the value', flip(40), 'check'],
    ['one bit of the key', flip(5), 'check'],
    ['one bit of a time', flip(20), 'check'],
    ['one bit of the check sum', flip(-1), 'check'],
    ['the version', flip(0), 'version'],
    ['its end cut off', (bytes: Buffer) => bytes.subarray(0, -1), 'check'],
    ['nearly all cut off', (bytes: Buffer) => bytes.subarray(0, 10), 'form'],
    ['something at its end', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(1)]), 'check'],
  ])('is a miss and counted, with %s changed', async (_what, how, reason) => {
    const key = keyOf(1);
    await plain.store([key]);
    await change(key, how);
    expect(await plain.cache.get(key)).toBeUndefined();
    expect(bad.mock.calls).toEqual([[reason]]);
  });

  it('is a miss under the key of another', async () => {
    await plain.store([keyOf(1), keyOf(2)]);
    await write(keyOf(2), await read(keyOf(1)));
    expect(await plain.cache.get(keyOf(2))).toBeUndefined();
    expect(bad.mock.calls).toEqual([['key']]);
    expect((await plain.cache.get(keyOf(1)))?.value).toBe(valueOf(keyOf(1)));
  });

  it('is a miss where it is well sealed but no value', async () => {
    plain.cache.put(keyOf(3), 'not what a value looks like', 60_000);
    await plain.settled();
    expect(await plain.cache.get(keyOf(3))).toBeUndefined();
    expect(bad.mock.calls).toEqual([['value']]);
  });

  it('is a miss where it is of another type', async () => {
    await redis.ask((client) => client.hSet(keyOf(4), 'value', 'x'));
    expect(await plain.cache.get(keyOf(4))).toBeUndefined();
  });

  it('is a miss where it should be dead already', async () => {
    await plain.store([keyOf(5)], 50);
    const sealed = await read(keyOf(5));
    await new Promise((resolve) => setTimeout(resolve, 80));
    await write(keyOf(5), sealed);
    expect(await plain.cache.get(keyOf(5))).toBeUndefined();
    expect(bad).not.toHaveBeenCalled();
  });

  it('is mended by the next who stores', async () => {
    await plain.store([keyOf(6)]);
    await change(keyOf(6), flip(40));
    expect(await plain.cache.get(keyOf(6))).toBeUndefined();
    await plain.store([keyOf(6)]);
    expect((await plain.cache.get(keyOf(6)))?.value).toBe(valueOf(keyOf(6)));
  });

  it('is believed from those who share the secret only', async () => {
    await signing.store([keyOf(7)]);
    expect((await signing.cache.get(keyOf(7)))?.value).toBe(valueOf(keyOf(7)));
    expect(await plain.cache.get(keyOf(7))).toBeUndefined();
    await plain.store([keyOf(8)]);
    expect(await signing.cache.get(keyOf(8))).toBeUndefined();
    expect(bad.mock.calls).toEqual([['check'], ['check']]);
  });

  it.each([
    'aapi:\r\nFLUSHALL\r\n',
    'aapi:*1\r\n$8\r\nFLUSHALL\r\n',
    'aapi: with spaces ',
    `aapi:${'k'.repeat(2 ** 20)}`,
    'aapi:\0\u{1f600}',
  ])('is what the key says, however the key looks', async (key) => {
    plain.cache.put(key, 'answer to a strange key', 60_000);
    await plain.store([keyOf(9)]);
    expect((await plain.cache.get(key))?.value).toBe('answer to a strange key');
    expect((await plain.cache.get(keyOf(9)))?.value).toBe(valueOf(keyOf(9)));
  });
});
