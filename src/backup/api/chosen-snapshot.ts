import { InvalidName } from '../../models/models.errors';
import type { SnapshotInventory } from '../snapshot/snapshot-inventory';
import type { ModelSummary } from '../snapshot/snapshot-manifest';
import type { SnapshotManifests } from '../snapshot/snapshot-manifests';
import { isSnapshotId, type SnapshotId, type SnapshotRecord } from '../snapshot/snapshot-records';
import { SnapshotDamaged, SnapshotNewer, SnapshotNotFound } from '../snapshot/snapshot.errors';

/**
 * Stands for the newest snapshot that is not deleted; among deleted ones for the one that was deleted last; among those to restore not for a
 * safety snapshot, which a restore that was refused leaves behind: repeated, it would bring back what is there.
 */
export const LATEST = 'latest';

/** Which snapshots `latest` looks at. */
export type Among = 'kept' | 'deleted' | 'to-restore';

/**
 * The snapshot that somebody means.
 * @param id an id, or `latest`
 * @param among which of them `latest` looks at; an id finds either
 * @throws InvalidName, SnapshotNotFound
 */
export async function chosenSnapshot(
  inventory: Pick<SnapshotInventory, 'list'>,
  id: string,
  among: Among = 'kept',
): Promise<SnapshotRecord> {
  if (id !== LATEST && !isSnapshotId(id)) throw new InvalidName('id', 'the id of a snapshot, or "latest"', id);
  const snapshots = await inventory.list();
  const found = id === LATEST ? latestOf(snapshots, among) : snapshots.find((snapshot) => snapshot.id === id);
  if (found === undefined) throw new SnapshotNotFound(id);
  return found;
}

/** The models in a snapshot. @returns undefined where it is encrypted, or cannot be read: its record says that */
export async function modelsIn(manifests: Pick<SnapshotManifests, 'of'>, id: SnapshotId): Promise<readonly ModelSummary[] | undefined> {
  try {
    return (await manifests.of(id)).models;
  } catch (error) {
    if (error instanceof SnapshotDamaged || error instanceof SnapshotNewer) return undefined;
    throw error;
  }
}

/** @param snapshots the newest first */
function latestOf(snapshots: readonly SnapshotRecord[], among: Among): SnapshotRecord | undefined {
  if (among !== 'deleted')
    return snapshots.find(({ deleted, trigger }) => deleted === undefined && (among === 'kept' || trigger !== 'safety'));
  const deleted = snapshots.filter((snapshot) => snapshot.deleted !== undefined);
  return deleted.sort((a, b) => (a.deleted?.at ?? '').localeCompare(b.deleted?.at ?? '')).at(-1);
}
