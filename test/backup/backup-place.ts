import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Registry, Counter, Gauge } from 'prom-client';
import { BackupJournal } from '../../src/backup/backup-journal';
import { BackupMetrics, COUNTERS, GAUGES } from '../../src/backup/backup.metrics';
import { ObjectCollector } from '../../src/backup/retention/object-collector';
import { Pruner } from '../../src/backup/retention/pruner';
import { UnreferencedObjects } from '../../src/backup/retention/unreferenced-objects';
import { Restorer } from '../../src/backup/restore/restorer';
import { SnapshotSources } from '../../src/backup/restore/restore-source';
import { BackupRunner } from '../../src/backup/schedule/backup-runner';
import { BackupRepository } from '../../src/backup/snapshot/backup-repository';
import { RegistrySource } from '../../src/backup/snapshot/registry-source';
import type { SnapshotRecord, Trigger } from '../../src/backup/snapshot/snapshot-records';
import { SnapshotInventory } from '../../src/backup/snapshot/snapshot-inventory';
import { SnapshotManifests } from '../../src/backup/snapshot/snapshot-manifests';
import { SnapshotObjects } from '../../src/backup/snapshot/snapshot-objects';
import { SnapshotSeal } from '../../src/backup/snapshot/snapshot-seal';
import { SnapshotTaker } from '../../src/backup/snapshot/snapshot-taker';
import { SnapshotVerifier } from '../../src/backup/verify/snapshot-verifier';
import { BackupConfig } from '../../src/config/app-config';
import type { BlobName, BlobStore } from '../../src/storage/blob-store.port';
import { LOG_START, type StoredEvent } from '../../src/storage/event-log.port';
import { FileBlobStore } from '../../src/storage/file-blob.store';
import { FileEventLog } from '../../src/storage/file-event.log';
import { RegistryHouse } from '../process/registry-house';

/** A process with a registry and its backups, both folders of one root: others may work there too. */
export class BackupPlace {
  readonly config: BackupConfig;
  readonly house: RegistryHouse;
  readonly log: FileEventLog;
  readonly repository: BackupRepository;
  readonly manifests: SnapshotManifests;
  readonly inventory: SnapshotInventory;
  readonly collector: ObjectCollector;
  readonly unreferenced: UnreferencedObjects;
  readonly pruner: Pruner;
  readonly taker: SnapshotTaker;
  readonly objects: SnapshotObjects;
  readonly verifier: SnapshotVerifier;
  readonly sources: SnapshotSources;
  readonly restorer: Restorer;
  readonly journal: BackupJournal;
  readonly runner: BackupRunner;
  private readonly figures = new Registry();

  private constructor(
    readonly root: string,
    settings: Partial<BackupConfig>,
    readonly blobs: BlobStore,
    registry: string,
  ) {
    this.config = Object.assign(new BackupConfig(), settings, { backupsDir: join(root, 'backups') });
    const models = join(root, registry);
    this.house = new RegistryHouse(new FileBlobStore(models), new FileEventLog(models));
    this.log = new FileEventLog(this.config.backupsDir);
    const seal = new SnapshotSeal(this.config);
    const { state, journal, log, blobs: modelBlobs } = this.house;
    this.repository = new BackupRepository(blobs, this.log);
    this.manifests = new SnapshotManifests(this.repository, this.config);
    this.inventory = new SnapshotInventory(this.repository, this.manifests);
    this.taker = new SnapshotTaker(new RegistrySource(state, journal, log, modelBlobs), this.repository, this.manifests, seal);
    this.objects = new SnapshotObjects(blobs, seal);
    this.verifier = new SnapshotVerifier(this.repository, this.inventory, this.manifests, this.objects, seal);
    this.sources = new SnapshotSources(this.repository, this.manifests, this.objects, seal);
    this.restorer = new Restorer(state, journal, modelBlobs, this.house.versionBlobs, this.taker, this.house.catalog);
    this.unreferenced = new UnreferencedObjects(this.config);
    this.collector = new ObjectCollector(this.repository, this.manifests, this.unreferenced);
    this.pruner = this.prunerWith(this.collector);
    const metrics = this.metrics();
    this.journal = new BackupJournal(this.config, this.log, log, this.inventory, metrics);
    this.runner = new BackupRunner(this.taker, this.verifier, this.pruner, this.journal, metrics);
  }

  /** @param blobs those of `backups/`; default: files @param registry folder of the registry in the root */
  static async on(
    root: string,
    settings: Partial<BackupConfig> = {},
    blobs: BlobStore = new FileBlobStore(join(root, 'backups')),
    registry = 'models',
  ): Promise<BackupPlace> {
    const place = new BackupPlace(root, settings, blobs, registry);
    await place.house.journal.onModuleInit();
    return place;
  }

  prunerWith(collector: ObjectCollector): Pruner {
    return new Pruner(this.config, this.repository, this.inventory, this.manifests, collector);
  }

  /** Takes a snapshot, unless it is told otherwise of another file each time, and verifies it. */
  async backup(content?: string, trigger: Trigger = 'manual'): Promise<SnapshotRecord> {
    if (content !== undefined) await this.house.publish(`m${content.length}`, content);
    const record = await this.taker.take({ trigger, actor: 'ada', correlationId: 'c' });
    await this.verifier.verify(record.id, { level: 'structure' });
    return record;
  }

  /** The labels and the value of the only series of a metric. */
  async counted(name: string): Promise<readonly [object, number]> {
    const { values = [] } = (await this.figures.getSingleMetric(name)?.get()) ?? {};
    if (values.length !== 1) throw new Error(`${name} has ${values.length} series`);
    return [values[0]!.labels, values[0]!.value];
  }

  private metrics(): BackupMetrics {
    const registers = [this.figures];
    const gauges = Object.entries(GAUGES).map(([key, [name, help]]) => [key, new Gauge({ name, help, registers })]);
    const counters = Object.entries(COUNTERS).map(([key, [name, help, labelNames]]) => [
      key,
      new Counter({ name, help, labelNames, registers }),
    ]);
    return new BackupMetrics(Object.fromEntries(gauges), Object.fromEntries(counters));
  }

  /** Names of the blobs of `backups/`. */
  async stored(): Promise<readonly BlobName[]> {
    return (await Readable.from(this.blobs.list()).toArray()).map(({ name }) => name as BlobName);
  }

  async events(kind: string): Promise<readonly StoredEvent[]> {
    const entries = await Readable.from(this.log.read(LOG_START)).toArray();
    return entries.map(({ event }) => event as StoredEvent).filter((event) => event.kind === kind);
  }

  /** What the snapshots that are there lack, every byte looked at. */
  async faults(): Promise<readonly unknown[]> {
    const faults: unknown[] = [];
    for (const { id, deleted, damaged } of await this.inventory.list()) {
      if (deleted !== undefined) continue;
      const { findings } = await this.verifier.verify(id, { level: 'data' });
      if (findings.length > 0 || damaged !== undefined) faults.push({ id, damaged, findings });
    }
    return faults;
  }
}
