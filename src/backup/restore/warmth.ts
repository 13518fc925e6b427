import { hasCode } from '../../errors/has-code';
import type { ModelRecord, VersionRecord } from '../../models/registry/registry-records';
import type { RestoredModels } from '../../models/registry/restored-models';
import type { ServedVersion } from '../../models/serving/served-version';
import { RestoreNotServable } from './restore.errors';
import type { LivingRegistry } from './living-registry';

/**
 * What a restore will have in production, loaded before anybody is sent there. Where nothing is served by this process there is nothing to
 * do: whoever serves follows the log.
 */
export class Warmth {
  /** By model, version and digest: a restore that has to begin anew loads nothing twice. */
  private readonly records = new Map<string, VersionRecord>();
  private readonly candidates = new Map<string, ServedVersion>();
  private readonly failed: VersionRecord[] = [];
  private switched: Promise<void> | undefined;

  constructor(
    private readonly registry: LivingRegistry,
    private readonly force: boolean,
  ) {}

  /** The same models with the records of an earlier attempt, where those are what they were. */
  known(models: RestoredModels): RestoredModels {
    for (const model of models) {
      for (const [number, record] of model.versions) {
        const key = `${model.name} ${number} ${record.digest} ${record.blob}`;
        const before = this.records.get(key);
        if (before === undefined) this.records.set(key, record);
        else model.versions.set(number, Object.assign(before, { stage: record.stage }));
      }
      model.production = model.versions.get(model.production?.version ?? 0);
    }
    return models;
  }

  /** @throws RestoreNotServable unless it is forced */
  async load(models: RestoredModels): Promise<void> {
    const { catalog } = this.registry;
    if (catalog === undefined) return;
    const failures: { readonly model: string; readonly version: number; readonly reason: string }[] = [];
    for (const model of models) {
      const record = this.inProduction(model);
      if (record === undefined || this.candidates.get(model.name)?.record === record) continue;
      try {
        this.candidates.set(model.name, await catalog.load(record, false));
      } catch (error) {
        // what does not fit beside what is served now is loaded when it is called
        if (hasCode(error, 'MODEL_MEMORY_EXCEEDED')) continue;
        this.failed.push(record);
        failures.push({ model: model.name, version: record.version, reason: error instanceof Error ? error.message : String(error) });
      }
    }
    if (failures.length > 0 && !this.force) throw new RestoreNotServable(failures);
  }

  /** Runs the commit; in the very tick in which its event comes true all models are served as it says. */
  async switching(commit: () => Promise<void>): Promise<void> {
    const { catalog, state } = this.registry;
    if (catalog === undefined) return commit();
    const before = state.list().flatMap(({ versions }) => [...versions.values()]);
    const forget = state.onApplied(({ kind }) => {
      if (kind === 'registry.restored') this.switched = catalog.settleAll(this.candidates);
    });
    try {
      await commit();
    } finally {
      forget();
    }
    if (this.switched === undefined) return;
    await this.switched;
    for (const record of before) if (state.find(record.model)?.versions.get(record.version) !== record) await catalog.drop(record);
    await catalog.loadProduction();
  }

  /** Lets go of what was loaded for nothing. */
  async end(): Promise<void> {
    const { catalog } = this.registry;
    if (catalog === undefined || this.switched !== undefined) return;
    for (const [name, candidate] of this.candidates) await catalog.settle(name, candidate);
    // nobody is to be told that what never came into production cannot be served
    for (const record of this.failed)
      if (this.registry.state.find(record.model)?.versions.get(record.version) !== record) await catalog.drop(record);
  }

  /** As the record that will be there once the event is: one that is there already stays. */
  private inProduction({ name, production, deletion }: ModelRecord): VersionRecord | undefined {
    if (production === undefined || deletion !== undefined) return undefined;
    const here = this.registry.state.find(name)?.versions.get(production.version);
    return here?.digest === production.digest ? here : production;
  }
}
