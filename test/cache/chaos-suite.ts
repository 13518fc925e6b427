import { setTimeout as sleep } from 'node:timers/promises';
import { BackOff } from '../../src/cache/back-off';
import { OpenedCache, keyOf, valueOf } from './opened-cache';
import { RedisProcess } from './redis-process';
import { type Toxic, ToxicProxy } from './toxic-proxy';

const KEYS = Array.from({ length: 2000 }, (_, at) => keyOf(at));
const IDENTITIES = 200;
const COMMAND_MS = 20;
const ABANDONED = 0.3;
const ASKS_OF_A_WEATHER = 200;
/** Whole networks fail in all ways that let some replies through; and in between all is well, or nothing would ever be found. */
const WEATHER: readonly Toxic[] = [
  'none',
  'slicer',
  'none',
  'reset each 500 bytes',
  'none',
  'wrong replies',
  'none',
  '1 s latency',
  'none',
];

/** What came of the chaos. */
export interface Chaos {
  readonly asked: number;
  readonly found: number;
  readonly abandoned: number;
  readonly mismatches: number;
  /** Entries that were turned away on the way. */
  readonly turnedAway: number;
}

/** Many ask at once, through a network that changes all the time, and some do not wait for what they asked for. Each value says whose it is. */
export async function chaos(asks: number): Promise<Chaos> {
  const redis = await RedisProcess.start();
  const proxy = await ToxicProxy.before(redis.port);
  const full = await OpenedCache.connected(redis.url);
  await full.store(KEYS, 3_600_000);
  await full.close();
  const opened = await OpenedCache.connected(proxy.url, { entries: 1 }, COMMAND_MS); // so that Redis is asked nearly always
  const count = { asked: 0, found: 0, abandoned: 0, mismatches: 0 };
  const pauses = jest.spyOn(BackOff.prototype, 'next').mockReturnValue(20); // most of the time would be spent waiting otherwise
  const weather = { change: () => proxy.poison(WEATHER[Math.floor(Math.random() * WEATHER.length)] as Toxic) };
  const clock = setInterval(weather.change, 100);
  try {
    await Promise.all(Array.from({ length: IDENTITIES }, () => ask(opened, count, asks, weather.change)));
  } finally {
    clearInterval(clock);
    pauses.mockRestore();
    proxy.poison('none');
  }
  const turnedAway = opened.cache.figures().redis!.badEntries;
  await opened.close();
  await proxy.close();
  await redis.remove();
  return { ...count, turnedAway };
}

async function ask(
  { cache }: OpenedCache,
  count: { -readonly [name in keyof Omit<Chaos, 'turnedAway'>]: number },
  asks: number,
  change: () => void,
): Promise<void> {
  while (count.asked < asks) {
    if (!cache.hasSecondTier) {
      await sleep(20);
      continue;
    }
    if (count.asked++ % ASKS_OF_A_WEATHER === 0) change();
    const key = KEYS[Math.floor(Math.random() * KEYS.length)] as string;
    const answer = cache.get(key).then((found) => {
      if (found !== undefined && found.value !== valueOf(key)) count.mismatches++;
      if (found !== undefined) count.found++;
      return undefined;
    });
    if (Math.random() > ABANDONED) await answer;
    else {
      count.abandoned++;
      await Promise.race([answer, sleep(Math.random() * 3)]);
    }
  }
}
