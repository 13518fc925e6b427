import { Module } from '@nestjs/common';
import { ModelsModule } from '../models/models.module';
import { StorageModule } from '../storage/storage.module';
import { BackupRepository } from './snapshot/backup-repository';
import { RegistrySource } from './snapshot/registry-source';
import { SnapshotSeal } from './snapshot/snapshot-seal';
import { SnapshotTaker } from './snapshot/snapshot-taker';
import { SnapshotVerifier } from './verify/snapshot-verifier';

@Module({
  imports: [ModelsModule, StorageModule],
  providers: [SnapshotSeal, RegistrySource, BackupRepository, SnapshotTaker, SnapshotVerifier],
  exports: [SnapshotSeal, BackupRepository, SnapshotTaker, SnapshotVerifier],
})
export class BackupModule {}
