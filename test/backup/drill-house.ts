import { cp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { DrillGround } from '../../src/backup/drill/drill-ground';
import type { DrilledSnapshot } from '../../src/backup/drill/drill-report';
import { Driller, type DrillWish } from '../../src/backup/drill/driller';
import { StorageConfig, RuntimeConfig } from '../../src/config/app-config';
import type { ModelMetadata } from '../../src/models/upload/model-metadata';
import { type ImportReport, type LoadedModel, type ModelFile, ModelRuntime, type Placement } from '../../src/runtime/model-runtime.port';
import { type OpenedEngines, openEngines } from '../../src/runtime/open-engines';
import { HostLauncher } from '../../src/runtime/hosts/host-launcher';
import { HostProcess } from '../../src/runtime/hosts/host-process';
import { FAULTY_HOST } from '../engine/faults';
import { linear, twoInputs } from '../onnx/models';
import { BackupHouse, type BackupSettings } from './backup-house';

const HOST_MEMORY_MB = 900;
const CONFIG = Object.assign(new RuntimeConfig(), { importDeadlineSeconds: 10, engineDeadlineMs: 1000 });

/** How a house of drills differs from one of defaults. */
export interface DrillHouseSettings extends Pick<BackupSettings, 'key' | 'encrypt'> {
  readonly minFreeBytes?: string;
  /** Whether the engines of drills can be made to fail (`test/engine/faulty-host.cjs`). */
  readonly faulty?: boolean;
}

class FaultyLauncher extends HostLauncher {
  override launch(): HostProcess {
    return new HostProcess(FAULTY_HOST, HOST_MEMORY_MB);
  }
}

/** A machine that may compute more than it should: what is uploaded there is right there, and nowhere else. */
class OtherMachine extends ModelRuntime {
  readonly machine = 'another one';
  factor = 1;

  constructor(private readonly runtime: ModelRuntime) {
    super();
  }

  async import(...args: Parameters<ModelRuntime['import']>): Promise<ImportReport> {
    const report = await this.runtime.import(...args);
    const trials = report.trials.map((trial) =>
      'reason' in trial
        ? trial
        : trial.map((tensor) => ({ ...tensor, data: Float32Array.from(tensor.data as Float32Array, (y) => this.factor * y) })),
    );
    return { ...report, trials };
  }

  place(...args: Parameters<ModelRuntime['place']>): Placement {
    return this.runtime.place(...args);
  }

  load(file: ModelFile): Promise<LoadedModel> {
    return this.runtime.load(file);
  }
}

/** A registry of real models that real engines have looked at, its snapshots, and drills of them. */
export class DrillHouse {
  readonly driller: Driller;

  private constructor(
    readonly backup: BackupHouse,
    readonly ground: DrillGround,
    private readonly engines: OpenedEngines,
    private readonly machine: OtherMachine,
  ) {
    this.driller = new Driller(backup.repository, backup.manifests, ground);
  }

  static async fresh(settings: DrillHouseSettings = {}): Promise<DrillHouse> {
    return DrillHouse.with(settings, (runtime) => BackupHouse.fresh({ ...settings, runtime }));
  }

  /** Another process on the same folders. */
  static async on(root: string, settings: DrillHouseSettings = {}): Promise<DrillHouse> {
    return DrillHouse.with(settings, (runtime) => BackupHouse.on(root, { ...settings, runtime }));
  }

  /** The same once more, in folders of its own. */
  async copied(settings: DrillHouseSettings = {}): Promise<DrillHouse> {
    const root = `${this.backup.root}-${Math.random().toString(16).slice(2)}`;
    await cp(this.backup.root, root, { recursive: true });
    return DrillHouse.on(root, settings);
  }

  private static async with(
    { faulty = false, minFreeBytes = '0' }: DrillHouseSettings,
    open: (runtime: ModelRuntime) => Promise<BackupHouse>,
  ): Promise<DrillHouse> {
    const engines = openEngines(CONFIG);
    const machine = new OtherMachine(engines.runtime);
    const backup = await open(machine);
    const storage = Object.assign(new StorageConfig(), { minFreeBytes });
    const settings = { backup: backup.config, storage, runtime: CONFIG };
    const start = (): OpenedEngines => openEngines(CONFIG, faulty ? new FaultyLauncher(CONFIG) : undefined);
    return new DrillHouse(backup, new DrillGround(backup.sources, backup.verifier, settings, start), engines, machine);
  }

  /** `line`: y = 2x, with a golden row of x; `sums` without one. Both in production. */
  async fill(x: number): Promise<void> {
    await this.publish('line', linear([[2]]), { golden: [{ inputs: { x: [[x]] }, outputs: { y: [[2 * x]] } }] });
    await this.publish('sums', twoInputs());
  }

  /** @param factor how much more the machine computes that the upload is tried on */
  async publish(model: string, file: Buffer, metadata: ModelMetadata = {}, factor = 1): Promise<void> {
    this.machine.factor = factor;
    const { uploads, stages } = this.backup.registry;
    const blob = await this.backup.registryBlobs.stage(Readable.from([file]), 2 ** 24);
    const { record } = await uploads.accept({ model, file: { name: 'model.onnx', blob }, metadata }, { actor: 'ada' });
    await blob.discard();
    await stages.move(model, record.version, 'production', { actor: 'ada', force: true });
  }

  async drill(wish: Partial<DrillWish> = {}): Promise<DrilledSnapshot> {
    const { snapshots } = await this.driller.drill({ actor: 'ada', id: 'latest', ...wish });
    return snapshots[0] as DrilledSnapshot;
  }

  /** What lies in the staging area of `backups/`. */
  async leftovers(): Promise<readonly string[]> {
    return readdir(join(this.backup.backups, '.staging'));
  }

  async close(): Promise<void> {
    await this.engines.close();
    await this.backup.remove();
  }
}
