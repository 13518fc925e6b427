import type { BackupConfig } from '../config/app-config';
import { RegistryJournal } from '../models/registry/registry-journal';
import { RegistryState } from '../models/registry/registry-state';
import { openStorage } from '../storage/open-storage';
import { ArchiveExport } from './export/archive-export';
import { ObjectCollector } from './retention/object-collector';
import { Pruner } from './retention/pruner';
import { UnreferencedObjects } from './retention/unreferenced-objects';
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
  const source = new RegistrySource(state, new RegistryJournal(registry.log, state, registry.blobs), registry.log, registry.blobs);
  return {
    inventory,
    manifests,
    taker: new SnapshotTaker(source, repository, manifests, seal),
    verifier: new SnapshotVerifier(repository, inventory, manifests, objects, seal),
    pruner: new Pruner(
      config,
      repository,
      inventory,
      manifests,
      new ObjectCollector(repository, manifests, new UnreferencedObjects(config)),
    ),
    archives: new ArchiveExport(repository, manifests, objects, seal),
  };
}
