import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BackupRepository } from '../../src/backup/snapshot/backup-repository';
import { SnapshotInventory } from '../../src/backup/snapshot/snapshot-inventory';
import { SnapshotManifests } from '../../src/backup/snapshot/snapshot-manifests';
import { SnapshotObjects } from '../../src/backup/snapshot/snapshot-objects';
import type { SnapshotRecord } from '../../src/backup/snapshot/snapshot-records';
import { SnapshotSeal } from '../../src/backup/snapshot/snapshot-seal';
import { SnapshotVerifier } from '../../src/backup/verify/snapshot-verifier';
import { BackupConfig } from '../../src/config/app-config';
import { FileBlobStore } from '../../src/storage/file-blob.store';
import { FileEventLog } from '../../src/storage/file-event.log';
import type { Ack } from './registry-check';

/**
 * Reads `backups/` whole, from its files alone, and holds it against what was acknowledged. Writes what a verification writes.
 * @returns a sentence for each promise that is broken
 */
export async function checkBackups(root: string, ...streams: readonly (readonly Ack[])[]): Promise<readonly string[]> {
  const config = Object.assign(new BackupConfig(), { backupsDir: join(root, 'backups'), keyFile: join(root, 'key') });
  const seal = new SnapshotSeal(config);
  const repository = new BackupRepository(new FileBlobStore(config.backupsDir), new FileEventLog(config.backupsDir));
  const manifests = new SnapshotManifests(repository, config);
  const inventory = new SnapshotInventory(repository, manifests);
  const verifier = new SnapshotVerifier(repository, inventory, manifests, new SnapshotObjects(repository.blobs, seal), seal);
  const records = await inventory.list();
  const listed = records.filter(({ deleted }) => deleted === undefined);
  const broken = listed.flatMap(({ id, damaged }) => (damaged === undefined ? [] : [`${id} is listed, and ${damaged.join(', ')}`]));
  for (const { id } of listed) {
    const found = await verifier.verify(id, { level: 'data', allowUnsigned: true }).then(
      ({ findings }) => findings.map(({ object, problem }) => `${object} is ${problem}`),
      (error: unknown) => [`cannot be verified: ${String(error)}`],
    );
    broken.push(...found.map((what) => `${id} is listed, and ${what}`));
  }
  const acks = streams.flat();
  return [...broken, ...lost(records, acks), ...lostNewest(records, acks), ...deletedByHalves(records, acks)];
}

/** Of an acknowledged snapshot the log knows, if only that it was deleted since. */
function lost(records: readonly SnapshotRecord[], acks: readonly Ack[]): readonly string[] {
  const known = new Set(records.map(({ id }) => id));
  const told = acks.flatMap(({ ack, id }) => (ack === 'take' || ack === 'sealed' ? [id as string] : []));
  return told.filter((id) => !known.has(id)).map((id) => `${id} was acknowledged, and is not listed`);
}

/** @param records the newest first */
function lostNewest(records: readonly SnapshotRecord[], acks: readonly Ack[]): readonly string[] {
  const verified = new Set(acks.flatMap(({ ack, id, ok }) => (ack === 'verify' && ok === true ? [id] : [])));
  const newest = records.find(({ id }) => verified.has(id));
  if (newest?.deleted === undefined) return verified.size > 0 && newest === undefined ? ['no verified snapshot is known'] : [];
  return [`${newest.id} is the newest verified one, and was deleted`];
}

/** What a prune says that it deleted stays so. */
function deletedByHalves(records: readonly SnapshotRecord[], acks: readonly Ack[]): readonly string[] {
  const there = new Set(records.flatMap(({ id, deleted }) => (deleted === undefined ? [id] : [])));
  const gone = acks.flatMap(({ ack, deleted }) => (ack === 'prune' ? (deleted as readonly string[]) : []));
  return gone.filter((id) => there.has(id)).map((id) => `${id} was deleted, and is there again`);
}

/** What lies in the staging area of `backups/`, or of another folder of a driver's ROOT. */
export function stagedIn(root: string, folder = 'backups'): readonly string[] {
  const staging = join(root, folder, '.staging');
  return existsSync(staging) ? readdirSync(staging) : [];
}
