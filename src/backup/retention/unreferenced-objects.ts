import { Injectable } from '@nestjs/common';
import { BackupConfig } from '../../config/app-config';
import type { BlobName } from '../../storage/blob-store.port';
import { DerivedFiles } from '../../storage/derived-files';

const NAME = 'unreferenced/0.json';

/**
 * When each object was first seen that no snapshot needs: `derived/` of `backups/`. Losing it costs time only, and who changes it can
 * only have objects collected earlier that no snapshot needs.
 */
@Injectable()
export class UnreferencedObjects {
  private readonly files: DerivedFiles;

  constructor({ backupsDir }: BackupConfig) {
    this.files = new DerivedFiles(backupsDir);
  }

  /** Milliseconds since 1970 by name. */
  async read(): Promise<ReadonlyMap<BlobName, number>> {
    const said = await this.files.read(NAME);
    if (typeof said !== 'object' || said === null) return new Map();
    return new Map(Object.entries(said).filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
  }

  /** All that were seen now; what was seen before keeps its time, unless that lies ahead. */
  async note(names: readonly BlobName[], now: Date): Promise<void> {
    const before = await this.read();
    const at = now.getTime();
    await this.files.write(NAME, Object.fromEntries(names.map((name) => [name, Math.min(before.get(name) ?? at, at)])));
  }
}
