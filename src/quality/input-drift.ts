import { type BeforeApplicationShutdown, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { QualityConfig } from '../config/app-config';
import { AnsweredCalls } from '../inference/answered-calls';
import type { InferenceCall } from '../inference/inference-call';
import type { VersionRecord } from '../models/registry/registry-records';
import { RegistryState } from '../models/registry/registry-state';
import { BaselineFiles } from './baseline-files';
import { DriftWatch } from './drift-watch';
import { matrixOf } from './watched-matrix';

const MOST_VERSIONS = 1000;
const MOST_BYTES = 64 * 2 ** 20;

/**
 * Looks at some inputs of answered calls, whatever dialect they came in, and compares them with a baseline. Memory is bounded: the version that
 * was not looked at for longest makes room, and begins anew when it is called again.
 */
@Injectable()
export class InputDrift implements OnApplicationBootstrap, BeforeApplicationShutdown {
  /** `null`: nobody looks at that one. */
  private readonly watches = new WeakMap<VersionRecord, DriftWatch | null>();
  private readonly kept = new LRUCache<VersionRecord, { readonly watch: DriftWatch }>({
    max: MOST_VERSIONS,
    maxSize: MOST_BYTES,
    sizeCalculation: ({ watch }) => watch.bytes,
    dispose: ({ watch }, record) => this.close(record, watch),
    noDisposeOnSet: true,
  });

  constructor(
    private readonly calls: AnsweredCalls,
    private readonly state: RegistryState,
    private readonly baselines: BaselineFiles,
    private readonly config: QualityConfig,
  ) {}

  onApplicationBootstrap(): void {
    if (this.config.drift === 'on') this.calls.listener = (call) => this.hear(call);
  }

  beforeApplicationShutdown(): void {
    this.calls.listener = undefined;
  }

  /** One row that this server did not answer itself. @param values all columns in the model's order */
  lookAtRow(record: VersionRecord, values: readonly number[]): void {
    if (this.config.drift === 'on') this.watchOf(record)?.lookAtRow(values);
  }

  of(record: VersionRecord): DriftWatch | undefined {
    return this.kept.peek(record)?.watch;
  }

  /** Of which versions inputs were looked at. */
  all(): readonly VersionRecord[] {
    return [...this.kept.keys()];
  }

  forget(record: VersionRecord): void {
    this.kept.delete(record);
  }

  private hear({ target: { record }, inputs }: Pick<InferenceCall, 'target' | 'inputs'>): void {
    const watch = this.watchOf(record);
    const [input] = inputs;
    if (watch === null || input === undefined || !watch.pace.due()) return;
    this.kept.get(record); // it is the last to go now
    watch.look(input);
  }

  private watchOf(record: VersionRecord): DriftWatch | null {
    const known = this.watches.get(record);
    return known === undefined ? this.begin(record) : known;
  }

  private begin(record: VersionRecord): DriftWatch | null {
    if (this.state.find(record.model)?.versions.get(record.version) !== record) return null; // it was deleted, and calls are still answered
    const watch = this.watchFor(record);
    this.watches.set(record, watch);
    if (watch === null) return null;
    this.kept.set(record, { watch });
    void watch.open(() => this.resize(record, watch)); // it never fails
    return watch;
  }

  private watchFor(record: VersionRecord): DriftWatch | null {
    const matrix = record.manifest.metadata.drift === 'off' ? undefined : matrixOf(record);
    if (matrix === undefined) return null;
    const watch = new DriftWatch(record, matrix, this.config, this.baselines.shelfOf(record));
    return watch.columns.length === 0 ? null : watch;
  }

  private close(record: VersionRecord, watch: DriftWatch): void {
    this.watches.delete(record);
    watch.close();
  }

  private resize(record: VersionRecord, watch: DriftWatch): void {
    if (this.of(record) === watch) this.kept.set(record, { watch });
  }
}
