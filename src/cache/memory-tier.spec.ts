import { CacheConfig } from '../config/app-config';
import type { CacheMetrics } from './cache.metrics';
import { MemoryTier } from './memory-tier';

const MIB = 2 ** 20;

/** A tier for values that are as large as they say. */
function tier(settings: Partial<CacheConfig> = {}) {
  const metrics = { countEviction: jest.fn(), showMemory: jest.fn() };
  const form = { bytesOf: (size: number) => size, encode: () => new Uint8Array(), decode: () => 0 };
  const memory = new MemoryTier<number>(Object.assign(new CacheConfig(), settings), form, metrics as unknown as CacheMetrics);
  return { memory, metrics, has: (key: string) => memory.find(key, performance.now()) !== undefined };
}

describe(MemoryTier, () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('forgets what has lived its life, to the millisecond', () => {
    const { memory, has } = tier();
    memory.remember('a', 1, 1000);
    jest.advanceTimersByTime(999);
    expect(has('a')).toBe(true);
    jest.advanceTimersByTime(1);
    expect(has('a')).toBe(false);
    expect(memory.size).toBe(0);
  });

  it('does not mind a clock that is set back', () => {
    const { memory, has } = tier();
    memory.remember('a', 1, 1000);
    jest.setSystemTime(0);
    jest.advanceTimersByTime(1000);
    expect(has('a')).toBe(false);
  });

  it('keeps no more entries than it may, those that were asked for last', () => {
    const { memory, metrics, has } = tier({ entries: 3 });
    for (const key of ['a', 'b', 'c']) memory.remember(key, 1, 1000);
    expect(has('a')).toBe(true);
    memory.remember('d', 1, 1000);
    expect(['a', 'b', 'c', 'd'].filter(has)).toEqual(['a', 'c', 'd']);
    expect(metrics.countEviction).toHaveBeenCalledTimes(1);
    expect(metrics.showMemory).toHaveBeenLastCalledWith(3, memory.bytes);
  });

  it('keeps no more bytes than it may, keys and all included', () => {
    const { memory, metrics } = tier({ memoryMb: 1 });
    for (let at = 0; at < 10_000; at++) memory.remember(`key ${at}`, at % 1000, 1000);
    expect(memory.bytes).toBeLessThanOrEqual(MIB);
    expect(memory.bytes).toBeGreaterThan(MIB - 2000);
    expect(memory.size).toBeLessThan(MIB / 400);
    expect(metrics.countEviction).toHaveBeenCalledTimes(10_000 - memory.size);
  });

  it('counts what is stored again once', () => {
    const { memory, metrics } = tier();
    for (let at = 0; at < 10; at++) memory.remember('a', 1000, 1000);
    expect([memory.size, memory.bytes]).toEqual([1, 1400]);
    expect(metrics.countEviction).not.toHaveBeenCalled();
  });

  it('keeps no value that would push an eighth of all others out', () => {
    const { memory, has } = tier({ memoryMb: 1 });
    memory.remember('small', 1, 1000);
    memory.remember('large', MIB / 8, 1000);
    expect([has('small'), has('large')]).toEqual([true, false]);
  });

  it('forgets by prefix, and says what', () => {
    const { memory, has } = tier();
    for (const key of ['a:1', 'a:2', 'b:1']) memory.remember(key, 1, 1000);
    memory.remember('a:old', 1, 10);
    jest.advanceTimersByTime(10);
    expect([...memory.forget('a:')].sort()).toEqual(['a:1', 'a:2']);
    expect(has('b:1')).toBe(true);
    expect(memory.size).toBe(1);
  });
});
