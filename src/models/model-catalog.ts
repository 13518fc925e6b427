import { Injectable, Logger } from '@nestjs/common';
import { ModelRuntime } from '../runtime/model-runtime.port';
import { type LocalBlob, ModelBlobs } from '../storage/blob-store.port';
import type { ManifestFile } from './manifest';
import { AliasNotFound, ModelUnavailable, NoProductionVersion } from './models.errors';
import { type ModelRecord, RegistryState, type VersionRecord } from './registry-state';
import { ServedVersion } from './served-version';
import { reasonOf, VersionFaults } from './version-faults';

/** Which version a call wants; neither: the one in production. */
export interface VersionSelector {
  readonly version?: number;
  readonly alias?: string;
}

/** How many versions out of production stay in memory because callers asked for them by number. */
const MAX_ON_DEMAND = 16;
/** What is being served right now: the only meeting point of registry and prediction. Memory only. */
@Injectable()
export class ModelCatalog {
  private readonly logger = new Logger(ModelCatalog.name);
  private readonly production = new Map<string, ServedVersion>();
  /** Every version in memory or on its way there, the longest unused first. */
  private readonly resident = new Map<VersionRecord, Promise<ServedVersion>>();

  constructor(
    private readonly state: RegistryState,
    private readonly runtime: ModelRuntime,
    private readonly blobs: ModelBlobs,
    private readonly faults: VersionFaults,
  ) {}

  /**
   * The version that answers a call: at once where it is in production and in memory, else it is loaded at the caller's wish.
   * @throws ModelNotFound, VersionNotFound, AliasNotFound, NoProductionVersion, ModelUnavailable
   */
  resolve(name: string, { version, alias }: VersionSelector = {}): ServedVersion | Promise<ServedVersion> {
    const served = this.production.get(name);
    if (served !== undefined && version === undefined && (alias === undefined || alias === 'production')) return served;
    const model = this.state.require(name);
    if (alias !== undefined && alias !== 'production') throw new AliasNotFound(name, alias);
    const record = version === undefined ? productionOf(model) : this.state.requireVersion(name, version);
    if (served?.record === record) return served;
    const fault = this.faults.blocking(record);
    if (fault !== undefined) throw new ModelUnavailable(name, record.version, fault.reason);
    return this.demand(record);
  }

  /** Loads a version and warms it up, once for all who ask, without serving it yet. @throws as ModelRuntime.load, BlobMissing */
  load(record: VersionRecord): Promise<ServedVersion> {
    const loading = this.resident.get(record) ?? this.bringIn(record);
    this.resident.delete(record);
    this.resident.set(record, loading); // now the youngest
    return loading;
  }

  /**
   * Makes the catalog say what the registry says of a model, in one step; what it displaces drains.
   * @param candidate a loaded version, served if it is the one in production, retired if it is not (any more)
   */
  async settle(name: string, candidate?: ServedVersion): Promise<void> {
    const wanted = this.state.find(name)?.production;
    const current = this.production.get(name);
    if (candidate !== undefined && candidate.record === wanted) this.production.set(name, candidate);
    else if (current?.record !== wanted) this.production.delete(name);
    const kept = this.production.get(name);
    const displaced = [current, candidate].filter((served) => served !== undefined && served !== kept) as readonly ServedVersion[];
    await Promise.all(displaced.map((served) => this.retire(served)));
  }

  /**
   * Serves what is in production and nothing else. A version that cannot be loaded is named by `broken`; the others do not notice.
   * @param only this model
   */
  async loadProduction(only?: string): Promise<void> {
    for (const { name, production } of this.state.list()) {
      if (this.production.get(name)?.record === production || (only !== undefined && name !== only)) continue;
      try {
        await this.settle(name, production && (await this.load(production)));
      } catch (error) {
        this.logger.error('model not loaded', { model: name, version: production?.version, err: error });
      }
    }
  }

  /** Production versions that cannot be served, and why. */
  get broken(): readonly { readonly model: string; readonly version: number; readonly reason: string }[] {
    return this.faults.all.flatMap(([{ model, version, stage }, { reason }]) =>
      stage === 'production' ? [{ model, version, reason }] : [],
    );
  }

  /** Names of the models in service. */
  get serving(): readonly string[] {
    return [...this.production.keys()];
  }

  private async bringIn(record: VersionRecord): Promise<ServedVersion> {
    try {
      const { sha256 } = record.manifest.files[0] as ManifestFile;
      const served = await this.loadFile(record, sha256, await this.blobs.local(record.blob));
      this.faults.clear(record);
      return served;
    } catch (error) {
      this.resident.delete(record);
      this.faults.note(record, error);
      throw error;
    }
  }

  private async loadFile(record: VersionRecord, sha256: string, file: LocalBlob): Promise<ServedVersion> {
    try {
      return new ServedVersion(record, await this.runtime.load({ path: file.path, sha256 }), file);
    } catch (error) {
      await file.release();
      throw error;
    }
  }

  private async demand(record: VersionRecord): Promise<ServedVersion> {
    const { model, version } = record;
    try {
      const served = await this.load(record);
      if (this.state.find(model)?.production === record) await this.settle(model, served);
      else this.makeRoom();
      return served;
    } catch (error) {
      throw new ModelUnavailable(model, version, reasonOf(error));
    }
  }

  /** Callers can ask for any number of versions by number; those that were not asked for longest leave. */
  private makeRoom(): void {
    const idle = [...this.resident].filter(([record]) => this.production.get(record.model)?.record !== record);
    for (const [, loading] of idle.slice(0, Math.max(0, idle.length - MAX_ON_DEMAND)))
      void loading.then((served) => this.retire(served)).catch(() => {});
  }

  private async retire(served: ServedVersion): Promise<void> {
    this.resident.delete(served.record);
    await served.retire();
  }
}

function productionOf({ name, production, versions }: ModelRecord): VersionRecord {
  if (production === undefined) throw new NoProductionVersion(name, [...versions.keys()]);
  return production;
}
