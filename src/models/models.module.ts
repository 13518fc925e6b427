import { Module } from '@nestjs/common';
import { RuntimeModule } from '../runtime/runtime.module';
import { StorageModule } from '../storage/storage.module';
import { ModelArtifact } from './api/model-artifact';
import { ModelChangesController } from './api/model-changes.controller';
import { ModelDeletionController } from './api/model-deletion.controller';
import { ModelEtagInterceptor } from './api/model-etag.interceptor';
import { ModelPast } from './api/model-past';
import { ModelHistory } from './api/model-history';
import { ModelsController } from './api/models.controller';
import { VersionViews } from './api/version-views';
import { VersionsController } from './api/versions.controller';
import { ModelDescription } from './registry/model-description';
import { RegistryChanges } from './registry/registry-changes';
import { RegistryFollower } from './registry/registry-follower';
import { RegistryMetrics } from './registry/registry.metrics';
import { RegistryJournal } from './registry/registry-journal';
import { RegistryState } from './registry/registry-state';
import { VersionBlobs } from './registry/version-blobs';
import { VersionDeletion } from './registry/version-deletion';
import { VersionStages } from './registry/version-stages';
import { BringUp } from './serving/bring-up';
import { GoldenReplay } from './serving/golden-replay';
import { Measurements } from './serving/measurements';
import { ModelCatalog } from './serving/model-catalog';
import { ModelResidency } from './serving/model-residency';
import { RemeasureJob } from './serving/remeasure.job';
import { ServingMetrics } from './serving/serving.metrics';
import { VersionFaults } from './serving/version-faults';
import { BlobCollector } from './upkeep/blob-collector';
import { BlobScrub } from './upkeep/blob-scrub';
import { UpkeepJob } from './upkeep/upkeep.job';
import { FirstStart } from './upload/first-start';
import { ModelUpload } from './upload/model-upload';
import { UploadFiles } from './upload/upload-files';
import { UploadSlots } from './upload/upload-slots';
import { UploadReader } from './upload/upload-reader';
import { VersionProof } from './upload/version-proof';
import { VersionPublisher } from './upload/version-publisher';

@Module({
  imports: [RuntimeModule, StorageModule],
  controllers: [ModelsController, VersionsController, ModelChangesController, ModelDeletionController],
  providers: [
    VersionFaults,
    VersionViews,
    ModelHistory,
    ModelPast,
    ModelEtagInterceptor,
    ModelArtifact,
    BlobCollector,
    BlobScrub,
    UpkeepJob,
    RegistryFollower,
    RegistryState,
    RegistryJournal,
    RegistryChanges,
    VersionBlobs,
    VersionStages,
    VersionDeletion,
    ModelDescription,
    Measurements,
    ModelResidency,
    RemeasureJob,
    GoldenReplay,
    ModelCatalog,
    UploadFiles,
    UploadReader,
    UploadSlots,
    VersionProof,
    VersionPublisher,
    ModelUpload,
    FirstStart,
    BringUp,
    RegistryMetrics,
    ServingMetrics,
  ],
  exports: [ModelCatalog, BringUp, RegistryJournal, RegistryState, VersionBlobs],
})
export class ModelsModule {}
