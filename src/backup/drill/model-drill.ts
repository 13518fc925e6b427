import type { RuntimeConfig } from '../../config/app-config';
import { hasCode } from '../../errors/has-code';
import type { VersionRecord } from '../../models/registry/registry-records';
import { GoldenReplay } from '../../models/serving/golden-replay';
import { localSource } from '../../models/serving/local-source';
import { ServedVersion } from '../../models/serving/served-version';
import type { LoadedModel, ModelRuntime } from '../../runtime/model-runtime.port';
import type { BlobStore } from '../../storage/blob-store.port';
import type { DrillPhase } from './drill-report';

/** What an engine does to a run that says nothing of its answer. */
const OF_THE_ENGINE = ['ENGINE_CRASHED', 'ENGINE_DEADLINE_EXCEEDED', 'ENGINE_UNAVAILABLE', 'MODEL_QUARANTINED'];

/** Brings a model out of a restored registry to its answers. */
export class ModelDrill {
  private readonly golden: GoldenReplay;

  /** @param blobs those of the restored registry */
  constructor(
    private readonly runtime: ModelRuntime,
    private readonly blobs: BlobStore,
    config: RuntimeConfig,
  ) {
    this.golden = new GoldenReplay(config);
  }

  /**
   * Loads a version, which warms it up, tries its golden rows, and frees it.
   * @param enter told when the next step begins
   * @returns how many golden rows it has answered
   * @throws as ModelRuntime.load, LoadedModel.run; GoldenDeviation
   */
  async run(record: VersionRecord, enter: (phase: DrillPhase) => void): Promise<number> {
    const file = await localSource(this.blobs, record);
    enter('loading');
    const model = new HeardModel(await this.runtime.load(file.source));
    const served = new ServedVersion(record, model, file, () => undefined);
    try {
      enter('replaying');
      await this.golden.refuseDeviation(served);
      return record.manifest.metadata.golden?.length ?? 0;
    } catch (error) {
      throw model.fault ?? error;
    } finally {
      await served.retire();
    }
  }
}

/** Remembers what the engine did: to who compares answers a crash is a wrong answer as any other. */
class HeardModel implements LoadedModel {
  fault: unknown;

  constructor(private readonly model: LoadedModel) {}

  async run(...args: Parameters<LoadedModel['run']>): ReturnType<LoadedModel['run']> {
    try {
      return await this.model.run(...args);
    } catch (error) {
      if (hasCode(error, ...OF_THE_ENGINE)) this.fault ??= error;
      throw error;
    }
  }

  unload(): Promise<void> {
    return this.model.unload();
  }
}
