import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../process/processes';
import { HostileRedis, type Say } from './hostile-redis';
import { OpenedCache, keyOf } from './opened-cache';

const MIB = 2 ** 20;
const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

/** A cache over something hostile, asked until it is left alone, or for a while. */
async function ask(say: Say, ms = 1000): Promise<{ found: number; opened: boolean; connections: number; bad: number }> {
  const hostile = await HostileRedis.start(say);
  const opened = await OpenedCache.open({ redisUrl: hostile.url }, 20);
  try {
    await opened.found();
    let found = 0;
    let left = false;
    for (const end = performance.now() + ms; !left && performance.now() < end; await sleep(2)) {
      left ||= !opened.cache.hasSecondTier;
      if ((await opened.cache.get(keyOf(1))) !== undefined) found++;
      opened.cache.put(keyOf(2), 'answer to something', 60_000);
    }
    const { connections } = hostile;
    return { found, opened: left, connections, bad: opened.cache.figures().redis!.badEntries };
  } finally {
    await opened.close();
    await hostile.close();
  }
}

describe('something hostile in the place of Redis', () => {
  const wrongKinds: readonly (readonly [string, string])[] = [
    ['a number', ':1\r\n'],
    ['an error each time', '-ERR no\r\n'],
    ['a simple string', '+OK\r\n'],
    ['text that is no JSON', bulk('hello')],
    ['a JSON number', bulk('1')],
    ['an object that means harm', bulk('{"__proto__":{"value":"answer to all"},"value":"answer to all"}')],
    ['arrays in arrays in JSON', bulk('['.repeat(100_000))],
    ['base64 of nothing', bulk('""')],
    ['base64 of zeros', bulk(JSON.stringify(Buffer.alloc(200).toString('base64')))],
    ['an array', '*1\r\n$1\r\na\r\n'],
    ['a reply of another protocol', '%1\r\n+a\r\n+b\r\n'],
    ['nonsense', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['two replies for one', '+OK\r\n+OK\r\n'],
    ['a storm of errors', '-ERR no\r\n'.repeat(5000)],
    ['a line without an end', `+${'a'.repeat(2000)}`],
    ['a line that ends twice', '+a\rX$1000000000\r\n'],
    ['a length that is none', '$-7\r\n'],
    ['a length beyond all numbers', `$${'9'.repeat(30)}\r\n`],
    ['endless arrays in arrays', '*1\r\n'.repeat(1000)],
    ['a very long array', '*1000000000\r\n'],
    ['nothing at all', ''],
  ];

  it.each(wrongKinds)('gets no harm done by %s, and is left alone', async (_kind, reply) => {
    const { found, opened } = await ask((command) => (command === 'get' || command === 'set' ? reply : undefined));
    expect({ found, opened }).toEqual({ found: 0, opened: true });
  });

  it.each([
    ['one reply of 1 GB', `$${2 ** 30}\r\n`],
    ['lines without end', '+'],
    ['replies that nobody asked for', ''],
    ['an array that does not end', '*10000\r\n'],
  ])('takes no memory by %s', async (_kind, first) => {
    const chunk = Buffer.from(first === '' || first.startsWith('*') ? bulk('x'.repeat(1000)).repeat(64) : 'x'.repeat(MIB));
    let hostile: HostileRedis | undefined;
    const pour = (command: string, socket: Socket): undefined => {
      if (command !== 'get') return;
      socket.write(first);
      hostile?.pour(socket, chunk, 1024 * MIB);
    };
    hostile = await HostileRedis.start(pour);
    const opened = await OpenedCache.open({ redisUrl: hostile.url });
    try {
      await opened.found();
      const before = process.memoryUsage();
      expect(await opened.cache.get(keyOf(1))).toBeUndefined();
      await until('it is left alone', () => !opened.cache.hasSecondTier);
      const after = process.memoryUsage();
      expect(hostile.sentBytes).toBeLessThan(64 * MIB); // what fits into sockets: it was cut off long before the end
      expect(after.external + after.arrayBuffers - before.external - before.arrayBuffers).toBeLessThan(64 * MIB);
    } finally {
      await opened.close();
      await hostile.close();
    }
  });

  it('is not swept for ever where it knows no end of keys', async () => {
    let pages = 0;
    const hostile = await HostileRedis.start((command) => {
      if (command === 'unlink') return ':1\r\n';
      return command === 'scan' ? `*2\r\n$2\r\n17\r\n*1\r\n${bulk(`aapi:${pages++}`)}` : undefined;
    });
    const opened = await OpenedCache.open({ redisUrl: hostile.url });
    await opened.found();
    const realNow = performance.now.bind(performance);
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => realNow() + (pages > 20 ? 20_000 : 0));
    expect(await opened.cache.clear()).toBe(0);
    clock.mockRestore();
    expect(pages).toBeLessThan(100);
    await opened.close();
    await hostile.close();
  });

  it('unlinks no key that is not ours, whatever it is told there is', async () => {
    const commands: string[] = [];
    const hostile = await HostileRedis.start((command) => {
      commands.push(command);
      return command === 'scan' ? `*2\r\n$1\r\n0\r\n*1\r\n${bulk('session:1')}` : ':0\r\n';
    });
    const opened = await OpenedCache.open({ redisUrl: hostile.url });
    await opened.found();
    await opened.cache.clear();
    expect(commands).toEqual(['scan', 'publish']);
    await opened.close();
    await hostile.close();
  });
});

describe('a Redis that takes 50 ms', () => {
  it('is given its 200 ms by a server that was busy for 400 ms after it asked', async () => {
    const slow = await HostileRedis.start((command, socket) => {
      if (command === 'get') setTimeout(() => socket.write('$-1\r\n'), 50);
      return undefined;
    });
    const opened = await OpenedCache.open({ redisUrl: slow.url }, 200);
    await opened.found();
    const asked = Array.from({ length: 3 }, (_, at) => opened.cache.get(keyOf(at)));
    for (const end = performance.now() + 400; performance.now() < end;);
    await Promise.all(asked);
    expect(opened.cache.figures().redis).toMatchObject({ failures: 0, misses: 3 });
    await opened.close();
    await slow.close();
  });
});
