import type { BlobStore } from './blob-store.port';
import { CheckpointFiles } from './checkpoint-files';
import { DurableFiles } from './durable-files';
import type { EventLog } from './event-log.port';
import { FileBlobStore } from './file-blob.store';
import { FileEventLog } from './file-event.log';

/** The storage of a folder, for a tool that works while no server runs. */
export function openStorage(root: string): { readonly blobs: BlobStore; readonly log: EventLog; readonly checkpoints: CheckpointFiles } {
  return { blobs: new FileBlobStore(root), log: new FileEventLog(root), checkpoints: new CheckpointFiles(new DurableFiles(root)) };
}
