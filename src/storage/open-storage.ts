import type { BlobStore } from './blob-store.port';
import type { EventLog } from './event-log.port';
import { FileBlobStore } from './file-blob.store';
import { FileEventLog } from './file-event.log';

/** The storage of a folder, for a tool that works while no server runs. */
export function openStorage(root: string): { readonly blobs: BlobStore; readonly log: EventLog } {
  return { blobs: new FileBlobStore(root), log: new FileEventLog(root) };
}
