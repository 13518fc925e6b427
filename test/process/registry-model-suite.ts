import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { FileBlobStore } from '../../src/storage/file-blob.store';
import { FileEventLog } from '../../src/storage/file-event.log';
import { MemoryBlobStore } from '../../src/storage/memory-blob.store';
import { MemoryEventLog } from '../../src/storage/memory-event.log';
import { differenceOf } from './registry-against-model';
import type { Operation } from './registry-model';
import { operationsFrom, shrunk } from './registry-operations';

type Trial = (operations: readonly Operation[]) => Promise<string | undefined>;

/** The first of the seeds: `SEED=…` runs one again, or begins elsewhere. */
export const FIRST_SEED = Number(process.env['SEED'] ?? 1 + (Date.now() % 1_000_000));

/** Stores of one test file. */
export class Trials {
  private readonly folder = mkdtempSync(join(tmpdir(), 'analytics-api-model-'));

  constructor() {
    Logger.overrideLogger(false);
  }

  readonly inMemory: Trial = async (operations) => {
    const blobs = new MemoryBlobStore();
    try {
      return await differenceOf(operations, { blobs, log: new MemoryEventLog(), derived: this.folder });
    } finally {
      await blobs.dispose();
    }
  };

  readonly onFiles: Trial = async (operations) => {
    const root = mkdtempSync(join(this.folder, 'registry-'));
    return differenceOf(operations, { blobs: new FileBlobStore(root), log: new FileEventLog(root), derived: this.folder });
  };

  /** @returns the first of these sequences that differs, as short as it gets; `undefined`: none does */
  async firstDifference(sequences: number, trial: Trial = this.inMemory, from = FIRST_SEED): Promise<string | undefined> {
    for (let seed = from; seed < from + sequences; seed++) {
      const found = await shrunk(operationsFrom(seed), trial);
      if (found !== undefined)
        return [`SEED=${seed}: ${found.difference}`, ...found.operations.map((each) => JSON.stringify(each))].join('\n');
    }
    return undefined;
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true });
  }
}
