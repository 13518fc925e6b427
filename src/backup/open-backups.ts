import type { BackupConfig, RuntimeConfig, StorageConfig } from '../config/app-config';
import { RegistryJournal } from '../models/registry/registry-journal';
import { RegistryState } from '../models/registry/registry-state';
import { VersionBlobs } from '../models/registry/version-blobs';
import { VersionFaults } from '../models/serving/version-faults';
import { openStorage } from '../storage/open-storage';
import { DrillGround } from './drill/drill-ground';
import { Driller } from './drill/driller';
import { ArchiveExport } from './export/archive-export';
import { ObjectCollector } from './retention/object-collector';
import { Pruner } from './retention/pruner';
import { UnreferencedObjects } from './retention/unreferenced-objects';
import { ArchiveSources } from './restore/archive-source';
import { EmptyPlace } from './restore/empty-place';
import { Restorer } from './restore/restorer';
import { SnapshotSources } from './restore/restore-source';
import { BackupRepository } from './snapshot/backup-repository';
import { RegistrySource } from './snapshot/registry-source';
import { SnapshotInventory } from './snapshot/snapshot-inventory';
import { SnapshotManifests } from './snapshot/snapshot-manifests';
import { SnapshotObjects } from './snapshot/snapshot-objects';
import { SnapshotSeal } from './snapshot/snapshot-seal';
import { SnapshotTaker } from './snapshot/snapshot-taker';
import { SnapshotVerifier } from './verify/snapshot-verifier';

/** What can be done with the snapshots of a folder. */
export interface OpenedBackups {
  readonly inventory: SnapshotInventory;
  readonly manifests: SnapshotManifests;
  readonly taker: SnapshotTaker;
  readonly verifier: SnapshotVerifier;
  readonly pruner: Pruner;
  readonly archives: ArchiveExport;
  readonly sources: SnapshotSources;
  /** What `archives` wrote, read again. */
  readonly archiveSources: ArchiveSources;
  readonly restorer: Restorer;
  /** Where there is no registry yet. */
  readonly emptyPlace: EmptyPlace;
  /** Its engines are started by each drill, and end with it. */
  readonly driller: (runtime: RuntimeConfig, storage: StorageConfig) => Driller;
}

/** The backups of a folder and the registry that they are of, for a tool that works while no server runs, or beside one that does. */
export function openBackups(config: BackupConfig, modelsDir: string): OpenedBackups {
  const registry = openStorage(modelsDir);
  const { blobs, log } = openStorage(config.backupsDir);
  const seal = new SnapshotSeal(config);
  const repository = new BackupRepository(blobs, log);
  const manifests = new SnapshotManifests(repository, config);
  const inventory = new SnapshotInventory(repository, manifests);
  const objects = new SnapshotObjects(blobs, seal);
  const state = new RegistryState();
  const journal = new RegistryJournal(registry.log, state, registry.blobs);
  const taker = new SnapshotTaker(new RegistrySource(state, journal, registry.log, registry.blobs), repository, manifests, seal);
  const versionBlobs = new VersionBlobs(state, registry.blobs, new VersionFaults());
  const verifier = new SnapshotVerifier(repository, inventory, manifests, objects, seal);
  const sources = new SnapshotSources(repository, manifests, objects, seal);
  return {
    inventory,
    manifests,
    taker,
    verifier,
    pruner: new Pruner(
      config,
      repository,
      inventory,
      manifests,
      new ObjectCollector(repository, manifests, new UnreferencedObjects(config)),
    ),
    archives: new ArchiveExport(repository, manifests, objects, seal),
    sources,
    archiveSources: new ArchiveSources(modelsDir, seal),
    restorer: new Restorer(state, journal, registry.blobs, versionBlobs, taker),
    emptyPlace: new EmptyPlace(modelsDir),
    driller: (runtime, storage) =>
      new Driller(repository, manifests, new DrillGround(sources, verifier, { backup: config, runtime, storage })),
  };
}
