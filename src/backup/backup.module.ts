import { Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { ModelsModule } from '../models/models.module';
import { StorageModule } from '../storage/storage.module';
import { BackupUpkeepController } from './api/backup-upkeep.controller';
import { BackupsController } from './api/backups.controller';
import { BACKUP_METRICS } from './backup.metrics';
import { BackupJournal } from './backup-journal';
import { ArchiveExport } from './export/archive-export';
import { ObjectCollector } from './retention/object-collector';
import { Pruner } from './retention/pruner';
import { UnreferencedObjects } from './retention/unreferenced-objects';
import { Restorer } from './restore/restorer';
import { SnapshotSources } from './restore/restore-source';
import { BackupJob } from './schedule/backup.job';
import { BackupRunner } from './schedule/backup-runner';
import { BackupRepository } from './snapshot/backup-repository';
import { RegistrySource } from './snapshot/registry-source';
import { SnapshotInventory } from './snapshot/snapshot-inventory';
import { SnapshotManifests } from './snapshot/snapshot-manifests';
import { SnapshotObjects } from './snapshot/snapshot-objects';
import { SnapshotSeal } from './snapshot/snapshot-seal';
import { SnapshotTaker } from './snapshot/snapshot-taker';
import { SnapshotVerifier } from './verify/snapshot-verifier';

@Module({
  imports: [ModelsModule, ScheduleModule.forRoot(), StorageModule],
  controllers: [BackupsController, BackupUpkeepController],
  providers: [
    ...BACKUP_METRICS,
    SnapshotSeal,
    RegistrySource,
    BackupRepository,
    SnapshotManifests,
    SnapshotInventory,
    SnapshotObjects,
    SnapshotTaker,
    SnapshotVerifier,
    UnreferencedObjects,
    ObjectCollector,
    Pruner,
    ArchiveExport,
    SnapshotSources,
    Restorer,
    BackupJournal,
    BackupRunner,
    BackupJob,
  ],
  exports: [BackupJournal],
})
export class BackupModule {}
