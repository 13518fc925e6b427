import { InvalidName } from '../../models/models.errors';
import { CommitUncertain, LogDamaged, NoSpace } from '../../storage/storage.errors';
import { BodyTooLarge, BodyTooSlow, MalformedBody, MalformedJson, UnsupportedMediaType } from '../../wire/wire.errors';
import {
  BackupKeyRefused,
  BackupKeyWrong,
  SnapshotDamaged,
  SnapshotForged,
  SnapshotNewer,
  SnapshotNotFound,
  SnapshotUnsigned,
} from '../snapshot/snapshot.errors';

const ID = '20261123T030000Z-42-0f3a';

/** What the routes of this room may refuse, each as the documentation shows it. */
export const BAD_ID = new InvalidName('id', 'the id of a snapshot, or "latest"', 'yesterday');
export const NO_SNAPSHOT = new SnapshotNotFound(ID);
export const LOG_BROKEN = new LogDamaged(7, 'it is no JSON');
export const NEWER = new SnapshotNewer('its manifest has format 2', 'format 1');
/** Whatever writes to `backups/`. */
export const UNWRITABLE = [new CommitUncertain(7), new NoSpace(), LOG_BROKEN] as const;
/** Whatever reads what is in a snapshot. */
export const UNREADABLE_SNAPSHOT = [
  new SnapshotDamaged('The manifest', 'it is not there'),
  NEWER,
  new SnapshotForged(ID),
  new BackupKeyWrong('0f3a9c0d1e2b3a4f', undefined),
  new BackupKeyRefused('/run/secrets/backup', 'it is no file'),
] as const;
export const UNSIGNED = new SnapshotUnsigned(ID);
export const UNREADABLE = [
  new MalformedJson('it is empty'),
  new MalformedBody('body.level must be one of the following values: structure, data', {
    field: 'body.level',
    expected: 'must be one of the following values: structure, data',
    actual: '"all"',
  }),
  new BodyTooLarge(8_388_608),
  new UnsupportedMediaType('Content-Type', 'application/json', 'none'),
  new BodyTooSlow({ maxMs: 30_000 }),
] as const;
