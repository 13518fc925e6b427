import { Module } from '@nestjs/common';
import { RuntimeModule } from '../runtime/runtime.module';
import { StorageModule } from '../storage/storage.module';
import { BlobCollector } from './blob-collector';
import { BringUp } from './bring-up';
import { FirstStart } from './first-start';
import { ModelCatalog } from './model-catalog';
import { ModelRegistry } from './model-registry.service';
import { ModelsController } from './models.controller';
import { RegistryJournal } from './registry-journal';
import { RegistryState } from './registry-state';
import { UploadReader } from './upload-reader';

@Module({
  imports: [RuntimeModule, StorageModule],
  controllers: [ModelsController],
  providers: [BlobCollector, RegistryState, RegistryJournal, ModelCatalog, ModelRegistry, UploadReader, FirstStart, BringUp],
  exports: [ModelCatalog, BringUp],
})
export class ModelsModule {}
