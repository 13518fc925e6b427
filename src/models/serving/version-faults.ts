import { Injectable, Optional } from '@nestjs/common';
import { AppError } from '../../errors/app-error';
import { ModelDamaged } from '../../runtime/runtime.errors';
import type { BlobName } from '../../storage/blob-store.port';
import { BlobMissing } from '../../storage/storage.errors';
import { StorageMetrics } from '../../storage/storage.metrics';
import type { VersionRecord } from '../registry/registry-records';

/** Why a version cannot be loaded. */
export interface VersionFault {
  readonly reason: string;
  /** The stored file is lost, or is not what was uploaded: only new bytes help. */
  readonly corrupt: boolean;
  /** `performance.now()` of the attempt. */
  readonly at: number;
}

/** A version that could not be loaded is not tried again before this. */
const RETRY_MS = 5000;

/** What is known to be wrong with versions, on this machine, since the start. */
@Injectable()
export class VersionFaults {
  private readonly faults = new Map<VersionRecord, VersionFault>();
  private readonly damaged = new Set<BlobName>();

  constructor(@Optional() private readonly metrics?: StorageMetrics) {}

  /** Why the version is not worth another attempt now; `undefined` where it is. */
  blocking(record: VersionRecord): VersionFault | undefined {
    const fault = this.faults.get(record);
    return fault !== undefined && performance.now() - fault.at < RETRY_MS ? fault : undefined;
  }

  /** Why the version could not be loaded the last time; `undefined` where it could, or was not tried. */
  reason(record: VersionRecord): string | undefined {
    return this.faults.get(record)?.reason;
  }

  /** Whether the stored file is known to be lost or damaged. What is in memory answers all the same: it was good when it was loaded. */
  isCorrupt(record: VersionRecord): boolean {
    return loadedBlobs(record).some((blob) => this.damaged.has(blob)) || this.faults.get(record)?.corrupt === true;
  }

  /** Versions that could not be loaded, and why. */
  get all(): readonly (readonly [VersionRecord, VersionFault])[] {
    return [...this.faults];
  }

  note(record: VersionRecord, error: unknown): void {
    const told = error instanceof ModelDamaged ? error.expected : error instanceof BlobMissing ? error.blob : undefined;
    const corrupt = told !== undefined;
    // the name of a blob begins with its digest
    if (corrupt) this.noteDamage(loadedBlobs(record).find((blob) => blob.startsWith(told)) ?? record.blob);
    this.faults.set(record, { reason: reasonOf(error), corrupt, at: performance.now() });
  }

  /** Lost or damaged: a load or a scrub found it. */
  noteDamage(blob: BlobName): void {
    this.damaged.add(blob);
    this.count();
  }

  /** The version was loaded: its files were whole. */
  clear(record: VersionRecord): void {
    this.faults.delete(record);
    for (const blob of loadedBlobs(record)) this.damaged.delete(blob);
    this.count();
  }

  /** The version is gone: nobody waits for it. */
  forget(record: VersionRecord): void {
    this.faults.delete(record);
  }

  /** The bytes are whole: read by a scrub, or written again. */
  healed(blob: BlobName): void {
    this.damaged.delete(blob);
    this.count();
    for (const [record, fault] of this.faults) {
      // still not in memory, but worth another attempt at once
      if (loadedBlobs(record).includes(blob)) this.faults.set(record, { ...fault, corrupt: false, at: Number.NEGATIVE_INFINITY });
    }
  }

  private count(): void {
    this.metrics?.damagedBlobs.set(this.damaged.size);
  }
}

function loadedBlobs({ engine, blob, blobs }: VersionRecord): readonly BlobName[] {
  return engine === 'tfjs' ? blobs : [blob];
}

/** What a caller may be told. */
export function reasonOf(error: unknown): string {
  return error instanceof AppError ? error.message : 'its file cannot be read';
}
