import { Injectable } from '@nestjs/common';
import { ModelsConfig, RuntimeConfig } from '../../config/app-config';
import { codeOf } from '../../errors/app-error';
import { Counts } from '../../metrics/counts';
import { CALL_SECONDS, Distribution } from '../../metrics/distribution';
import { containerMemoryBytes } from '../../runtime/container-memory';
import { type ModelFile, ModelRuntime, type Placement } from '../../runtime/model-runtime.port';
import { ModelBlobs } from '../../storage/blob-store.port';
import { loadedFiles, sourceDigest } from '../upload/manifest';
import { localSource } from './local-source';
import { Measurements } from './measurements';
import { ModelMemoryExceeded } from '../models.errors';
import type { VersionRecord } from '../registry/registry-records';
import { ServedVersion } from './served-version';

const MIB = 2 ** 20;
/** What a model takes that was not measured on this machine, in sizes of its files, and at least this many bytes. */
const USUAL_GROWTH = 3;
const LEAST_BYTES = MIB;

interface Resident {
  readonly loading: Promise<ServedVersion>;
  served?: ServedVersion;
}

/** Versions in memory or on their way there, within a budget: for one that comes, those that were not used longest leave. */
@Injectable()
export class ModelResidency {
  /** The budget, bytes. */
  readonly limitBytes: number;
  /** Called for a version that has to leave, before it does. */
  onEvict: (served: ServedVersion) => void = () => {};
  /** Seconds that it took to load a version and to warm it up. */
  readonly loads = new Distribution(CALL_SECONDS);
  /** Versions that could not be loaded, by code. */
  readonly failures = new Counts();
  /** Versions that made room for others. */
  evictions = 0;
  private readonly residents = new Map<VersionRecord, Resident>();
  private readonly required: readonly string[];

  constructor(
    private readonly runtime: ModelRuntime,
    private readonly blobs: ModelBlobs,
    private readonly measurements: Measurements,
    config: RuntimeConfig,
    { required }: ModelsConfig,
  ) {
    this.limitBytes = config.modelMemoryMb === 'auto' ? containerMemoryBytes() / 2 : Number(config.modelMemoryMb) * MIB;
    this.required = required;
  }

  /** How much the versions in memory take, as far as it was measured, bytes. */
  get usedBytes(): number {
    return [...this.residents.keys()].reduce((sum, record) => sum + this.bytesOf(record), 0);
  }

  /** The versions in memory, and what each of them takes, as far as it was measured, bytes. */
  *inMemory(): Iterable<readonly [VersionRecord, number]> {
    for (const [record, { served }] of this.residents) if (served !== undefined) yield [record, this.bytesOf(record)];
  }

  /**
   * Loads a version and warms it up, once for all who ask.
   * @param evict whether others may have to leave for it
   * @throws ModelMemoryExceeded, BlobMissing; as ModelRuntime.load
   */
  async load(record: VersionRecord, evict = true): Promise<ServedVersion> {
    await this.measurements.find(record.executable);
    const known = this.residents.get(record);
    if (known !== undefined) return known.loading;
    try {
      return await this.loadNew(record, evict);
    } catch (error) {
      this.failures.count(codeOf(error));
      throw error;
    }
  }

  /** Takes a version out of memory as soon as its calls are answered. */
  async retire(served: ServedVersion): Promise<void> {
    if (this.residents.get(served.record)?.served === served) this.residents.delete(served.record);
    await served.retire();
  }

  /** Whether a version is in memory. */
  isLoaded(record: VersionRecord): boolean {
    return this.residents.get(record)?.served !== undefined;
  }

  /** Whether a version is on its way into memory. */
  isLoading(record: VersionRecord): boolean {
    return this.residents.has(record) && !this.isLoaded(record);
  }

  /** Whether calls run on a version. */
  isBusy(record: VersionRecord): boolean {
    return this.residents.get(record)?.served?.busy === true;
  }

  /** Takes a version out of memory, also where it is on its way there. */
  async drop(record: VersionRecord): Promise<void> {
    const served = await this.residents.get(record)?.loading.catch(() => undefined); // nothing came into memory then
    if (served !== undefined) await this.retire(served);
  }

  /** Where calls of a version run. */
  placementOf(record: VersionRecord): Placement {
    const { engine, signature, unbounded, initializerBytes, manifest, executable } = record;
    return this.runtime.place({
      sha256: sourceDigest(loadedFiles(engine, manifest.files)),
      signature,
      ...(unbounded && { unbounded }),
      ...(initializerBytes !== undefined && { initializerBytes }),
      measured: this.measurements.of(executable),
      isolated: manifest.metadata.isolation === 'always',
    });
  }

  /** Whether a version stays in memory whatever comes: its metadata says so, or the server must not be without it. */
  isPinned({ model, stage, manifest }: VersionRecord): boolean {
    return stage === 'production' && (manifest.metadata.pinned === true || this.required.includes(model));
  }

  private async loadNew(record: VersionRecord, evict: boolean): Promise<ServedVersion> {
    const leaving = this.roomFor(record, evict);
    const loading = Promise.all(leaving.map((served) => this.evict(served))).then(() => this.bringIn(record));
    const resident: Resident = { loading };
    this.residents.set(record, resident);
    try {
      return (resident.served = await loading);
    } catch (error) {
      this.residents.delete(record);
      throw error;
    }
  }

  /** @returns who has to leave @throws ModelMemoryExceeded where that would not be enough */
  private roomFor(record: VersionRecord, evict: boolean): readonly ServedVersion[] {
    const bytes = this.bytesOf(record);
    let missing = this.usedBytes + bytes - this.limitBytes;
    const leaving: ServedVersion[] = [];
    for (const served of evict ? this.dispensable() : []) {
      if (missing <= 0) break;
      leaving.push(served);
      missing -= this.bytesOf(served.record);
    }
    if (missing > 0) throw new ModelMemoryExceeded(record.model, record.version, bytes, this.limitBytes);
    return leaving;
  }

  /** Those without a call: out of production first, then the longest unused first. */
  private dispensable(): readonly ServedVersion[] {
    return [...this.residents.values()]
      .flatMap(({ served }) => (served === undefined || served.busy || this.isPinned(served.record) ? [] : [served]))
      .sort((a, b) => Number(isProduction(a)) - Number(isProduction(b)) || a.usedAt - b.usedAt);
  }

  private async evict(served: ServedVersion): Promise<void> {
    this.evictions++;
    this.onEvict(served);
    await this.retire(served);
  }

  private bytesOf({ engine, executable, manifest }: VersionRecord): number {
    const size = loadedFiles(engine, manifest.files).reduce((sum, file) => sum + file.size, 0);
    return Math.max(LEAST_BYTES, this.measurements.of(executable)?.memoryBytes ?? size * USUAL_GROWTH);
  }

  private async bringIn(record: VersionRecord): Promise<ServedVersion> {
    const startedAt = performance.now();
    const file = await localSource(this.blobs, record);
    try {
      const model = await this.runtime.load({ ...file.source, ...this.known(record) });
      this.loads.observe((performance.now() - startedAt) / 1000);
      return new ServedVersion(record, model, file, () => this.measurements.of(record.executable));
    } catch (error) {
      await file.release();
      throw error;
    }
  }

  private known(record: VersionRecord): Omit<ModelFile, 'path' | 'sha256'> {
    const bounded = record.unbounded?.length === 0;
    const measured = this.measurements.of(record.executable);
    if (measured === undefined) return { bounded };
    const slowest = Math.max(0, ...measured.curve.map(({ micros }) => micros));
    const { inline } = this.placementOf(record);
    const { memoryBytes, backend } = measured;
    return { bounded, usualMs: slowest / 1000, memoryBytes, ...(backend !== undefined && { backend }), ...(inline && { inline }) };
  }
}

function isProduction({ record }: ServedVersion): boolean {
  return record.stage === 'production';
}
