import { randomUUID } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { hasCode } from '../../errors/has-code';
import { CorrelationContext } from '../../logging/correlation-context';
import { BackupRepository } from '../snapshot/backup-repository';
import type { ReadObject } from '../snapshot/log-replay';
import type { SnapshotManifest } from '../snapshot/snapshot-manifest';
import { SnapshotManifests } from '../snapshot/snapshot-manifests';
import { SnapshotObjects } from '../snapshot/snapshot-objects';
import type { SnapshotId } from '../snapshot/snapshot-records';
import { checkSignature, type Signature, SnapshotSeal } from '../snapshot/snapshot-seal';
import { SnapshotNotFound } from '../snapshot/snapshot.errors';

/** A pin of a process that was killed holds no longer than this. */
const PIN_MS = 86_400_000;

/** What a restore reads. */
export interface RestoreSource {
  readonly manifest: SnapshotManifest;
  readonly signature: Signature;
  /** @throws SnapshotDamaged */
  readonly read: ReadObject;
  /** Call it when nothing more is read. Never rejects. */
  close(): Promise<void>;
}

/** Gives out snapshots of `backups/` for a restore, which nobody deletes or collects until it has ended. */
@Injectable()
export class SnapshotSources {
  private readonly logger = new Logger(SnapshotSources.name);

  constructor(
    private readonly repository: BackupRepository,
    private readonly manifests: SnapshotManifests,
    private readonly objects: SnapshotObjects,
    private readonly seal: SnapshotSeal,
  ) {}

  /**
   * @param allowUnsigned takes an unsigned snapshot for what it says it is, though there is a key
   * @throws SnapshotNotFound; SnapshotUnsigned, SnapshotForged, BackupKeyWrong, BackupKeyRefused; SnapshotDamaged, SnapshotNewer, LogDamaged
   */
  async open(id: SnapshotId, actor: string, allowUnsigned = false): Promise<RestoreSource> {
    const pin = await this.pin(id, actor);
    const close = async (): Promise<void> => {
      if (pin !== undefined) await this.unpin(id, pin, actor);
    };
    try {
      const manifest = await this.manifests.of(id);
      const signature = checkSignature(manifest, await this.seal.key(), allowUnsigned);
      if (manifest.encryption !== undefined) await this.seal.keyNamed(manifest.encryption.keyId);
      return { manifest, signature, read: (object) => this.objects.read(object, manifest.encryption), close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** @returns the name of the pin; undefined where nothing can be written, and so nothing be collected; or the log does not know the snapshot */
  private async pin(id: SnapshotId, actor: string): Promise<string | undefined> {
    const pin = randomUUID();
    try {
      const pinned = await this.repository.commit(({ snapshots }) => {
        const record = snapshots.get(id);
        if (record?.deleted !== undefined) throw new SnapshotNotFound(id);
        if (record === undefined) return undefined;
        const until = new Date(Date.now() + PIN_MS).toISOString();
        return { kind: 'snapshot.pinned', id, pin, until, actor, correlationId: correlationId() };
      });
      return pinned && pin;
    } catch (error) {
      // a log that cannot be read is that of a lost disk: what is still there must be restorable
      if (!hasCode(error, 'EROFS', 'EACCES', 'EPERM', 'NO_SPACE', 'LOG_DAMAGED')) throw error;
      this.logger.warn('snapshot not pinned', { snapshot: id, err: error });
      return undefined;
    }
  }

  private async unpin(id: SnapshotId, pin: string, actor: string): Promise<void> {
    try {
      await this.repository.commit(() => ({ kind: 'snapshot.unpinned', id, pin, actor, correlationId: correlationId() }));
    } catch (error) {
      this.logger.warn('snapshot not unpinned', { snapshot: id, err: error });
    }
  }
}

function correlationId(): string {
  return CorrelationContext.current?.correlationId ?? 'none';
}
