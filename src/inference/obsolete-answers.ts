import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { TieredCache } from '../cache/tiered-cache';
import { RegistryState } from '../models/registry/registry-state';
import type { StoredEvent } from '../storage/event-log.port';
import { CacheCounts } from './cache-counts';
import { keysOf } from './prediction-key';

/**
 * Forgets answers that nobody can ask for any more: those of a deleted version, unless another one has the same executable. Only room is gained by
 * it: no answer is ever wrong.
 */
@Injectable()
export class ObsoleteAnswers implements OnApplicationBootstrap {
  constructor(
    private readonly state: RegistryState,
    private readonly cache: TieredCache<unknown>,
    private readonly counts: CacheCounts,
  ) {}

  /** From here on: what was deleted before the start was nothing to this process. */
  onApplicationBootstrap(): void {
    this.state.onApplied((event) => this.see(event));
  }

  private see({ kind, seq, model }: StoredEvent & { readonly model?: unknown }): void {
    if (kind !== 'version.deleted' && kind !== 'model.deleted') return;
    this.counts.tidy();
    const deleted = [...(this.state.findKnown(String(model))?.deletedVersions.values() ?? [])];
    const executables = new Set(deleted.filter(({ deletion }) => deletion.seq === seq).map(({ record }) => record.executable));
    for (const { versions } of this.state.list()) for (const { executable } of versions.values()) executables.delete(executable);
    for (const executable of executables) void this.cache.clear(keysOf(executable)); // never fails
  }
}
