import { Injectable } from '@nestjs/common';
import { BackupConfig } from '../../config/app-config';
import { type BackupKey, readBackupKey } from './backup-key';
import { formatManifest, type SnapshotManifest } from './snapshot-manifest';
import { BackupKeyWrong, SnapshotForged, SnapshotUnsigned } from './snapshot.errors';

/** What a signature says: `unchecked` where it is there and the key is not. */
export type Signature = 'valid' | 'unsigned' | 'unchecked';

/** Signs what leaves, checks what comes back. The key is read anew each time: what lies in memory all day is found in a dump. */
@Injectable()
export class SnapshotSeal {
  constructor(private readonly config: BackupConfig) {}

  /** Whether new snapshots are encrypted. */
  get encrypts(): boolean {
    return this.config.encrypt === 'on';
  }

  /** @returns undefined where there is none @throws BackupKeyRefused */
  async key(): Promise<BackupKey | undefined> {
    return this.config.keyFile === '' ? undefined : readBackupKey(this.config.keyFile);
  }

  /** The key that encrypted a snapshot. @throws BackupKeyWrong, BackupKeyRefused */
  async keyNamed(keyId: string): Promise<BackupKey> {
    const key = await this.key();
    if (key?.id !== keyId) throw new BackupKeyWrong(keyId, key?.id);
    return key;
  }
}

/** A manifest and its signature. */
export function signed(manifest: Omit<SnapshotManifest, 'signature'>, key: BackupKey): SnapshotManifest {
  return { ...manifest, signature: { keyId: key.id, hmac: key.sign(formatManifest(manifest)) } };
}

/** @throws SnapshotUnsigned, BackupKeyWrong, SnapshotForged */
export function checkSignature(manifest: SnapshotManifest, key: BackupKey | undefined, allowUnsigned: boolean): Signature {
  const { signature, ...said } = manifest;
  if (signature === undefined) {
    if (key !== undefined && !allowUnsigned) throw new SnapshotUnsigned(manifest.id);
    return 'unsigned';
  }
  if (key === undefined) return 'unchecked';
  if (key.id !== signature.keyId) throw new BackupKeyWrong(signature.keyId, key.id);
  if (!key.signed(formatManifest(said), signature.hmac)) throw new SnapshotForged(manifest.id);
  return 'valid';
}
