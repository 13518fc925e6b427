import { setTimeout as sleep } from 'node:timers/promises';
import { TieredCache } from '../../src/cache/tiered-cache';
import { TestApp } from '../e2e/test-app';
import { linear } from '../onnx/models';
import { until } from '../process/processes';
import { Caller, predictionOf } from '../scheduling/caller';
import type { RedisProcess } from './redis-process';
import { type Toxic, ToxicProxy } from './toxic-proxy';

/** How long each call took, milliseconds, by what the cache knew of Redis when it came. */
export interface Sufferings {
  readonly healthy: number[];
  readonly poisoned: number[];
  readonly broken: number[];
  /** Calls that did not get the right answer. */
  readonly wrong: unknown[];
}

/** A server whose memory remembers one answer, so that nearly every call asks Redis: through a good network first, and then through a bad one. */
export async function suffer(
  redis: RedisProcess,
  toxic: Toxic,
  { healthyMs, toxicMs }: { healthyMs: number; toxicMs: number },
): Promise<Sufferings> {
  const proxy = await ToxicProxy.before(redis.port);
  const app = await TestApp.start({ env: { REDIS_URL: proxy.url, CACHE_ENTRIES: '1' } });
  const caller = new Caller(app.origin);
  try {
    const cache = app.app.get(TieredCache, { strict: false });
    await app.serve('line', linear([[2]], [1]));
    await until('Redis is found', () => cache.hasSecondTier);
    const found: Sufferings = { healthy: [], poisoned: [], broken: [], wrong: [] };
    await askFor(healthyMs, caller, found, () => 'healthy');
    proxy.poison(toxic);
    await askFor(toxicMs, caller, found, () => (cache.hasSecondTier ? 'poisoned' : 'broken'));
    proxy.poison('none');
    await until('Redis is found again', () => cache.hasSecondTier);
    await askFor(100, caller, found, () => 'healthy');
    return found;
  } finally {
    caller.hangUp();
    await app.close();
    await proxy.close();
  }
}

async function askFor(ms: number, caller: Caller, found: Sufferings, state: () => 'healthy' | 'poisoned' | 'broken'): Promise<void> {
  const end = performance.now() + ms;
  for (let row = 0; performance.now() < end; row = (row + 1) % 50) {
    const seen = state();
    const reply = await caller.predict('line', [row]);
    found[seen].push(reply.ms);
    if (reply.status !== 200 || predictionOf(reply) !== 2 * row + 1) found.wrong.push([row, reply.status, reply.bytes.toString()]);
    await sleep(1);
  }
}
