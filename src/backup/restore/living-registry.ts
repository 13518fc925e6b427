import type { RegistryJournal } from '../../models/registry/registry-journal';
import type { RegistryState } from '../../models/registry/registry-state';
import type { VersionBlobs } from '../../models/registry/version-blobs';
import type { ModelCatalog } from '../../models/serving/model-catalog';
import type { ModelBlobs } from '../../storage/blob-store.port';
import type { SnapshotTaker } from '../snapshot/snapshot-taker';

/** What a restore works on. */
export interface LivingRegistry {
  readonly state: RegistryState;
  readonly journal: RegistryJournal;
  readonly blobs: ModelBlobs;
  readonly versionBlobs: VersionBlobs;
  readonly taker: SnapshotTaker;
  /** What serves it, in this process; others follow the log. */
  readonly catalog?: ModelCatalog | undefined;
}
