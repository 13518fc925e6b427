import { Injectable, Logger } from '@nestjs/common';
import { ModelResidency } from './model-residency';
import { ModelMemoryExceeded, ModelUnavailable } from '../models.errors';
import type { ModelRecord, VersionRecord } from '../registry/registry-records';
import { RegistryState } from '../registry/registry-state';
import { ServedVersion } from './served-version';
import { reasonOf, VersionFaults } from './version-faults';
import { selectVersion, type VersionSelector } from './version-selector';

/** Whether a version answers, loaded at the wish of a caller if need be; and why it does not. */
export interface VersionState {
  readonly state: 'READY' | 'LOADING' | 'UNAVAILABLE';
  readonly reason?: string;
}

const UNLOADED = 'it was unloaded, until POST /v2/repository/models/<name>/load';

/** What is being served right now: the only meeting point of registry and prediction. Memory only. */
@Injectable()
export class ModelCatalog {
  private readonly logger = new Logger(ModelCatalog.name);
  private readonly production = new Map<string, ServedVersion>();
  /** Versions that are in service and had to make room for others: the next call loads them. */
  private readonly resting = new Set<VersionRecord>();
  /** Models that somebody took out of memory: they stay out of it until somebody wants them back. Of this process only. */
  private readonly withdrawn = new Set<string>();

  constructor(
    private readonly state: RegistryState,
    private readonly residency: ModelResidency,
    private readonly faults: VersionFaults,
  ) {
    residency.onEvict = (served) => this.rest(served);
  }

  /**
   * The version that answers a call: at once where it is in production and in memory, else it is loaded at the caller's wish.
   * @throws ModelNotFound, VersionNotFound, AliasNotFound, NoProductionVersion, ModelUnavailable
   */
  resolve(name: string, selector: VersionSelector = {}): ServedVersion | Promise<ServedVersion> {
    const { version, alias } = selector;
    const served = this.production.get(name);
    if (served !== undefined && version === undefined && (alias === undefined || alias === 'production')) return served;
    const record = selectVersion(this.state, name, selector);
    if (served?.record === record) return served;
    if (this.withdrawn.has(name)) throw new ModelUnavailable(name, record.version, UNLOADED);
    const fault = this.faults.blocking(record);
    if (fault !== undefined) throw new ModelUnavailable(name, record.version, fault.reason);
    return this.demand(record);
  }

  /** Loads a version and warms it up, once for all who ask, without serving it yet. @throws as ModelResidency.load */
  async load(record: VersionRecord, evict = true): Promise<ServedVersion> {
    try {
      const served = await this.residency.load(record, evict);
      this.faults.clear(record);
      return served;
    } catch (error) {
      // no room is no fault of the version
      if (!(error instanceof ModelMemoryExceeded)) this.faults.note(record, error);
      throw error;
    }
  }

  /**
   * Makes the catalog say what the registry says of a model, in one step; what it displaces drains.
   * @param candidate a loaded version, served if it is the one in production, retired if it is not (any more)
   */
  async settle(name: string, candidate?: ServedVersion): Promise<void> {
    const wanted = this.withdrawn.has(name) ? undefined : this.state.find(name)?.production;
    const current = this.production.get(name);
    if (candidate !== undefined && candidate.record === wanted) this.serve(name, candidate);
    else if (current?.record !== wanted) this.production.delete(name);
    const kept = this.production.get(name);
    const displaced = [current, candidate].filter((served) => served !== undefined && served !== kept) as readonly ServedVersion[];
    await Promise.all(displaced.map((served) => this.residency.retire(served)));
  }

  /**
   * Settles every model in one tick: no caller meets some of them as they were and others as they are.
   * @param candidates loaded versions by model
   */
  async settleAll(candidates: ReadonlyMap<string, ServedVersion>): Promise<void> {
    const names = new Set([...this.production.keys(), ...candidates.keys()]);
    await Promise.all([...names].map((name) => this.settle(name, candidates.get(name))));
  }

  /** Takes a model out of memory as soon as its calls are answered, and keeps it out. @throws ModelNotFound */
  async withdraw(name: string): Promise<void> {
    const { versions } = this.state.require(name);
    this.withdrawn.add(name);
    this.production.delete(name);
    for (const record of versions.values()) {
      this.resting.delete(record);
      await this.residency.drop(record);
    }
  }

  /** Serves the production version of a model again, or still. @throws ModelNotFound, NoProductionVersion, ModelUnavailable, ModelMemoryExceeded */
  async reinstate(name: string): Promise<void> {
    const record = selectVersion(this.state, name);
    this.withdrawn.delete(name);
    await this.demand(record);
  }

  /** Whether a call to a version would be answered. */
  stateOf(record: VersionRecord): VersionState {
    if (this.withdrawn.has(record.model)) return { state: 'UNAVAILABLE', reason: 'unloaded' };
    const reason = this.residency.isLoaded(record) ? undefined : this.faults.reason(record);
    if (reason !== undefined) return { state: 'UNAVAILABLE', reason };
    return { state: this.residency.isLoading(record) ? 'LOADING' : 'READY' };
  }

  /** Whether calls run on a version. */
  isBusy(record: VersionRecord): boolean {
    return this.residency.isBusy(record);
  }

  /** Takes a version out of memory that nobody can ask for any more. */
  async drop(record: VersionRecord): Promise<void> {
    this.faults.forget(record);
    this.resting.delete(record);
    const { model } = record;
    const served = this.production.get(model)?.record;
    // another process may have moved out of production, and even deleted, what is still served here
    if (served !== undefined && this.state.find(model)?.versions.get(served.version) !== served) await this.settle(model);
    await this.residency.drop(record);
  }

  /**
   * Serves what is in production and nothing else. A version that cannot be loaded is named by `broken`; the others do not notice. What
   * does not fit into the memory is loaded when it is called.
   * @param only this model
   */
  async loadProduction(only?: string): Promise<void> {
    const wanted = this.state.list().filter(({ name }) => only === undefined || name === only);
    for (const name of this.production.keys()) if (this.state.find(name) === undefined) await this.settle(name);
    const pinnedFirst = wanted.toSorted((a, b) => Number(this.isPinned(b)) - Number(this.isPinned(a)));
    for (const { name, production } of pinnedFirst) {
      if (this.production.get(name)?.record === production || this.withdrawn.has(name)) continue;
      await this.bringUp(name, production);
    }
  }

  /** Production versions that cannot be served, and why. */
  get broken(): readonly { readonly model: string; readonly version: number; readonly reason: string }[] {
    return this.faults.all.flatMap(([{ model, version, stage }, { reason }]) =>
      stage === 'production' ? [{ model, version, reason }] : [],
    );
  }

  /** What the models in memory take, as far as it was measured, and what they may take, bytes. */
  get memory(): { readonly usedBytes: number; readonly limitBytes: number } {
    const { usedBytes, limitBytes } = this.residency;
    return { usedBytes, limitBytes };
  }

  /** Names of the models in service: in memory, or loaded at their next call. */
  get serving(): readonly string[] {
    const resting = [...this.resting].filter(({ stage, model }) => stage === 'production' && !this.production.has(model));
    return [...this.production.keys(), ...resting.map(({ model }) => model)];
  }

  private async bringUp(name: string, production: VersionRecord | undefined): Promise<void> {
    try {
      await this.settle(name, production && (await this.load(production, this.isPinned({ production }))));
    } catch (error) {
      if (error instanceof ModelMemoryExceeded && production !== undefined) this.resting.add(production);
      else this.logger.error('model not loaded', { model: name, version: production?.version, err: error });
    }
  }

  private isPinned({ production }: Pick<ModelRecord, 'production'>): boolean {
    return production !== undefined && this.residency.isPinned(production);
  }

  private serve(name: string, served: ServedVersion): void {
    this.production.set(name, served);
    this.resting.delete(served.record);
  }

  /** A version has to make room: it stays in service, and its next call loads it. */
  private rest(served: ServedVersion): void {
    const { record } = served;
    if (this.production.get(record.model) !== served) return;
    this.production.delete(record.model);
    this.resting.add(record);
  }

  private async demand(record: VersionRecord): Promise<ServedVersion> {
    const { model, version } = record;
    try {
      const served = await this.load(record);
      if (this.state.find(model)?.production === record) await this.settle(model, served);
      return served;
    } catch (error) {
      if (error instanceof ModelMemoryExceeded) throw error;
      throw new ModelUnavailable(model, version, reasonOf(error));
    }
  }
}
