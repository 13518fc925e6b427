import { Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { ModelsModule } from '../models/models.module';
import { StorageModule } from '../storage/storage.module';
import { BackupConfig, RuntimeConfig, StorageConfig } from '../config/app-config';
import { BackupDrillController } from './api/backup-drill.controller';
import { BackupUpkeepController } from './api/backup-upkeep.controller';
import { BackupsController } from './api/backups.controller';
import { RestoreController } from './api/restore.controller';
import { BACKUP_METRICS } from './backup.metrics';
import { BackupJournal } from './backup-journal';
import { DrillGround } from './drill/drill-ground';
import { DrillJournal } from './drill/drill-journal';
import { DrillRunner } from './drill/drill-runner';
import { DrillJob } from './drill/drill.job';
import { DRILL_METRICS } from './drill/drill.metrics';
import { Driller } from './drill/driller';
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
  controllers: [BackupsController, BackupUpkeepController, BackupDrillController, RestoreController],
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
    ...DRILL_METRICS,
    {
      provide: DrillGround,
      useFactory: (
        sources: SnapshotSources,
        verifier: SnapshotVerifier,
        backup: BackupConfig,
        runtime: RuntimeConfig,
        storage: StorageConfig,
      ) => new DrillGround(sources, verifier, { backup, runtime, storage }),
      inject: [SnapshotSources, SnapshotVerifier, BackupConfig, RuntimeConfig, StorageConfig],
    },
    Driller,
    DrillJournal,
    DrillRunner,
    DrillJob,
  ],
  exports: [BackupJournal, DrillJournal],
})
export class BackupModule {}
