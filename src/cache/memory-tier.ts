import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { CacheConfig } from '../config/app-config';
import { CacheMetrics } from './cache.metrics';
import { ValueForm } from './value-form';

const MIB = 2 ** 20;
/** What an entry takes besides its value: its key, itself, its place in the list. */
const ENTRY_BYTES = 400;
/** No single value may push all others out. */
const LARGEST_SHARE = 8;

/** A value in memory. Times are `performance.now()`: a clock that is set back must not keep it alive. */
export interface Remembered<V> {
  readonly value: V;
  readonly storedAt: number;
  readonly diesAt: number;
}

/** The tier in this process: bounded in entries and bytes, those that were not asked for longest go first. A store of Keyv, too. */
@Injectable()
export class MemoryTier<V> {
  readonly maxBytes: number;
  readonly maxEntries: number;
  private readonly entries: LRUCache<string, Remembered<V>>;

  constructor(
    { memoryMb, entries }: CacheConfig,
    private readonly form: ValueForm<V>,
    private readonly metrics: CacheMetrics,
  ) {
    this.maxBytes = memoryMb * MIB;
    this.maxEntries = entries;
    this.entries = new LRUCache({
      max: entries,
      maxSize: this.maxBytes,
      maxEntrySize: Math.ceil(this.maxBytes / LARGEST_SHARE),
      dispose: (_entry, _key, reason) => reason === 'evict' && metrics.countEviction(),
    });
  }

  get size(): number {
    return this.entries.size;
  }

  get bytes(): number {
    return this.entries.calculatedSize;
  }

  /** What a value takes here. */
  bytesOf(value: V): number {
    return ENTRY_BYTES + this.form.bytesOf(value);
  }

  /** @param now `performance.now()` */
  find(key: string, now: number): Remembered<V> | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined || entry.diesAt > now) return entry;
    this.entries.delete(key);
    return undefined;
  }

  /** @param ageMs how old it is already */
  remember(key: string, value: V, lifeMs: number, ageMs = 0): void {
    const now = performance.now();
    this.entries.set(key, { value, storedAt: now - ageMs, diesAt: now + lifeMs }, { size: this.bytesOf(value) });
    this.metrics.showMemory(this.size, this.bytes);
  }

  /** Forgets what has such a key. @returns the keys, without those that were too old anyway */
  forget(prefix: string): ReadonlySet<string> {
    const now = performance.now();
    const gone = [...this.entries.entries()].filter(([key]) => key.startsWith(prefix));
    for (const [key] of gone) this.entries.delete(key);
    this.metrics.showMemory(this.size, this.bytes);
    return new Set(gone.filter(([, { diesAt }]) => diesAt > now).map(([key]) => key));
  }

  /** For Keyv. */
  get(key: string): Remembered<V> | undefined {
    return this.find(key, performance.now());
  }

  /** For Keyv. */
  set(key: string, { value }: { readonly value: V }, ttlMs = Number.POSITIVE_INFINITY): boolean {
    this.remember(key, value, ttlMs);
    return true;
  }

  /** For Keyv. */
  delete(key: string): boolean {
    return this.entries.delete(key);
  }

  /** For Keyv. */
  clear(): void {
    this.forget('');
  }
}
