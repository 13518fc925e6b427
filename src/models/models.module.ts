import { Module } from '@nestjs/common';
import { RuntimeModule } from '../runtime/runtime.module';
import { StorageModule } from '../storage/storage.module';
import { BlobCollector } from './blob-collector';
import { BlobScrub } from './blob-scrub';
import { BringUp } from './bring-up';
import { FirstStart } from './first-start';
import { Measurements } from './measurements';
import { ModelCatalog } from './model-catalog';
import { ModelArtifact } from './model-artifact';
import { ModelHistory } from './model-history';
import { ModelRegistry } from './model-registry.service';
import { ModelResidency } from './model-residency';
import { ModelChangesController } from './model-changes.controller';
import { ModelsController } from './models.controller';
import { RegistryFollower } from './registry-follower';
import { RegistryJournal } from './registry-journal';
import { RegistryState } from './registry-state';
import { RemeasureJob } from './remeasure.job';
import { UpkeepJob } from './upkeep.job';
import { UploadFiles } from './upload-files';
import { UploadReader } from './upload-reader';
import { VersionFaults } from './version-faults';
import { VersionViews } from './version-views';

@Module({
  imports: [RuntimeModule, StorageModule],
  controllers: [ModelsController, ModelChangesController],
  providers: [
    VersionFaults,
    VersionViews,
    ModelHistory,
    ModelArtifact,
    BlobCollector,
    BlobScrub,
    UpkeepJob,
    RegistryFollower,
    RegistryState,
    RegistryJournal,
    Measurements,
    ModelResidency,
    RemeasureJob,
    ModelCatalog,
    ModelRegistry,
    UploadFiles,
    UploadReader,
    FirstStart,
    BringUp,
  ],
  exports: [ModelCatalog, BringUp, RegistryJournal],
})
export class ModelsModule {}
