import { Module } from '@nestjs/common';
import { StorageConfig } from '../config/app-config';
import { ModelBlobs } from './blob-store.port';
import { RegistryLog } from './event-log.port';
import { FileBlobStore } from './file-blob.store';
import { FileEventLog } from './file-event.log';

@Module({
  providers: [
    { provide: ModelBlobs, useFactory: (config: StorageConfig) => new FileBlobStore(config.modelsDir), inject: [StorageConfig] },
    { provide: RegistryLog, useFactory: (config: StorageConfig) => new FileEventLog(config.modelsDir), inject: [StorageConfig] },
  ],
  exports: [ModelBlobs, RegistryLog],
})
export class StorageModule {}
