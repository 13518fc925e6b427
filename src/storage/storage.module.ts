import { Module } from '@nestjs/common';
import { BackupConfig, StorageConfig } from '../config/app-config';
import { DerivedFiles } from './derived-files';
import { BackupBlobs, ModelBlobs } from './blob-store.port';
import { BackupLog, RegistryLog } from './event-log.port';
import { FileBlobStore } from './file-blob.store';
import { FileEventLog } from './file-event.log';
import { minFreeOf } from './free-space';
import { STORAGE_METRICS, StorageMetrics } from './storage.metrics';
import { StorageKeeper } from './storage-keeper.service';

@Module({
  providers: [
    ...STORAGE_METRICS,
    StorageMetrics,
    StorageKeeper,
    { provide: DerivedFiles, useFactory: (config: StorageConfig) => new DerivedFiles(config.modelsDir), inject: [StorageConfig] },
    {
      provide: ModelBlobs,
      useFactory: (config: StorageConfig, metrics: StorageMetrics) => new FileBlobStore(config.modelsDir, minFreeOf(config), metrics),
      inject: [StorageConfig, StorageMetrics],
    },
    {
      provide: RegistryLog,
      useFactory: (config: StorageConfig, metrics: StorageMetrics) => new FileEventLog(config.modelsDir, metrics),
      inject: [StorageConfig, StorageMetrics],
    },
    {
      provide: BackupBlobs,
      useFactory: (storage: StorageConfig, { backupsDir }: BackupConfig, metrics: StorageMetrics) =>
        new FileBlobStore(backupsDir, minFreeOf(storage), metrics),
      inject: [StorageConfig, BackupConfig, StorageMetrics],
    },
    {
      provide: BackupLog,
      useFactory: ({ backupsDir }: BackupConfig, metrics: StorageMetrics) => new FileEventLog(backupsDir, metrics),
      inject: [BackupConfig, StorageMetrics],
    },
  ],
  exports: [BackupBlobs, BackupLog, DerivedFiles, ModelBlobs, RegistryLog, StorageKeeper, StorageMetrics],
})
export class StorageModule {}
