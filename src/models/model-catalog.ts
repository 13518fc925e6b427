import { Injectable, Logger } from '@nestjs/common';
import { AppError } from '../errors/app-error';
import { ModelRuntime } from '../runtime/model-runtime.port';
import { ModelBlobs } from '../storage/blob-store.port';
import type { ManifestFile } from './manifest';
import { AliasNotFound, ModelUnavailable, NoProductionVersion } from './models.errors';
import { type ModelRecord, RegistryState, type VersionRecord } from './registry-state';
import { ServedVersion } from './served-version';

/** Which version a call wants; neither: the one in production. */
export interface VersionSelector {
  readonly version?: number;
  readonly alias?: string;
}

/** What is being served right now: the only meeting point of registry and prediction. Memory only. */
@Injectable()
export class ModelCatalog {
  private readonly logger = new Logger(ModelCatalog.name);
  private readonly production = new Map<string, ServedVersion>();
  /** Versions that a call asked for by number, loaded at its wish. */
  private readonly onDemand = new Map<VersionRecord, Promise<ServedVersion>>();
  private readonly faults = new Map<VersionRecord, string>();

  constructor(
    private readonly state: RegistryState,
    private readonly runtime: ModelRuntime,
    private readonly blobs: ModelBlobs,
  ) {}

  /**
   * The version that answers a call: at once where it is in memory.
   * @throws ModelNotFound, VersionNotFound, AliasNotFound, NoProductionVersion, ModelUnavailable
   */
  resolve(name: string, { version, alias }: VersionSelector = {}): ServedVersion | Promise<ServedVersion> {
    const served = this.production.get(name);
    if (served !== undefined && version === undefined && (alias === undefined || alias === 'production')) return served;
    const model = this.state.require(name);
    if (alias !== undefined && alias !== 'production') throw new AliasNotFound(name, alias);
    const record = version === undefined ? productionOf(model) : this.state.requireVersion(name, version);
    if (served?.record === record) return served;
    const fault = this.faults.get(record);
    if (fault !== undefined) throw new ModelUnavailable(name, record.version, fault);
    return this.demand(record);
  }

  /** Loads a version and warms it up, without serving it yet. @throws as ModelRuntime.load, BlobMissing */
  async load(record: VersionRecord): Promise<ServedVersion> {
    const { sha256 } = record.manifest.files[0] as ManifestFile;
    const file = await this.blobs.local(sha256);
    try {
      return new ServedVersion(record, await this.runtime.load({ path: file.path, sha256 }), file);
    } catch (error) {
      await file.release();
      throw error;
    }
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
    await Promise.all([current, candidate].filter((served) => served !== kept).map((served) => served?.retire()));
  }

  /** Loads what is in production and is not in memory. A version that cannot be loaded is named by `broken`; the others do not notice. */
  async loadProduction(): Promise<void> {
    for (const { name, production } of this.state.list()) {
      if (production === undefined || this.production.has(name)) continue;
      try {
        await this.settle(name, await this.load(production));
      } catch (error) {
        this.faults.set(production, reasonOf(error));
        this.logger.error('model not loaded', { model: name, version: production.version, err: error });
      }
    }
  }

  /** Production versions that cannot be served, and why. */
  get broken(): readonly { readonly model: string; readonly version: number; readonly reason: string }[] {
    return [...this.faults].flatMap(([{ model, version, stage }, reason]) => (stage === 'production' ? [{ model, version, reason }] : []));
  }

  /** Names of the models in service. */
  get serving(): readonly string[] {
    return [...this.production.keys()];
  }

  private demand(record: VersionRecord): Promise<ServedVersion> {
    const loading = this.onDemand.get(record) ?? this.load(record);
    this.onDemand.set(record, loading);
    loading.catch(() => this.onDemand.delete(record)); // the next call tries again
    return loading;
  }
}

function productionOf({ name, production, versions }: ModelRecord): VersionRecord {
  if (production === undefined) throw new NoProductionVersion(name, [...versions.keys()]);
  return production;
}

function reasonOf(error: unknown): string {
  return error instanceof AppError ? error.message : 'its file cannot be read';
}
