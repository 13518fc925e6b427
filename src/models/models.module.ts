import { Module } from '@nestjs/common';
import { RuntimeModule } from '../runtime/runtime.module';
import { StorageModule } from '../storage/storage.module';
import { BlobCollector } from './upkeep/blob-collector';
import { BlobScrub } from './upkeep/blob-scrub';
import { BringUp } from './serving/bring-up';
import { FirstStart } from './upload/first-start';
import { Measurements } from './serving/measurements';
import { ModelCatalog } from './serving/model-catalog';
import { ModelArtifact } from './api/model-artifact';
import { ModelHistory } from './api/model-history';
import { ModelRegistry } from './model-registry.service';
import { ModelResidency } from './serving/model-residency';
import { ModelChangesController } from './api/model-changes.controller';
import { ModelsController } from './api/models.controller';
import { RegistryFollower } from './registry/registry-follower';
import { RegistryJournal } from './registry/registry-journal';
import { RegistryState } from './registry/registry-state';
import { RemeasureJob } from './serving/remeasure.job';
import { UpkeepJob } from './upkeep/upkeep.job';
import { UploadFiles } from './upload/upload-files';
import { UploadReader } from './upload/upload-reader';
import { VersionFaults } from './serving/version-faults';
import { VersionViews } from './api/version-views';

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
