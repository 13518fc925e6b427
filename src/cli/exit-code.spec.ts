import { PlanOutdated, RetentionEmpty } from '../backup/retention/retention.errors';
import { RestoreConflict, RestoreDamaged } from '../backup/restore/restore.errors';
import { type Reason, REASONS } from '../backup/snapshot/snapshot-failure';
import {
  BackupKeyRefused,
  BackupKeyWrong,
  SnapshotDamaged,
  SnapshotFailed,
  SnapshotForged,
  SnapshotNewer,
  SnapshotNoSpace,
  SnapshotNotFound,
  SnapshotUnsigned,
} from '../backup/snapshot/snapshot.errors';
import { BadConfiguration } from '../config/config.errors';
import { LogDamaged } from '../storage/storage.errors';
import { EXIT, Interrupted, NothingThere, WrongUsage } from './command';
import { exitCodeOf, mostSevere } from './exit-code';

const failed = (reason: Reason): SnapshotFailed => new SnapshotFailed({ phase: 'copying', reason, detail: 'it is so', objects: [] });

describe(exitCodeOf, () => {
  it.each([
    [new WrongUsage('no'), 64],
    [new NothingThere('nothing'), 10],
    [new Interrupted(), 130],
    [new DOMException('This operation was aborted', 'AbortError'), 130],
    [new SnapshotDamaged('The manifest', 'it is not there'), 3],
    [new SnapshotForged('x'), 3],
    [new RestoreDamaged('x', [], []), 3],
    [new RestoreConflict([]), 1],
    [new SnapshotUnsigned('x'), 12],
    [new BackupKeyWrong('a', 'b'), 12],
    [new BackupKeyRefused('/key', 'it is no file'), 12],
    [new SnapshotNotFound('x'), 1],
    [new SnapshotNewer('its manifest has format 2', 'format 1'), 1],
    [new SnapshotNoSpace({ phase: 'copying', reason: 'no-space', detail: 'full', objects: [] }), 1],
    [new LogDamaged(7, 'it is no JSON'), 1],
    [new RetentionEmpty({}), 1],
    [new PlanOutdated('7', '8'), 1],
    [new BadConfiguration(['MAX_CALLS=many']), 1],
    [Object.assign(new Error('EIO: i/o error'), { code: 'EIO', syscall: 'read' }), 1],
    [new TypeError('a mistake of ours'), 1],
  ])('of %s is %i', (error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });

  it('of a snapshot that was not taken is what the reason says, for every reason', () => {
    const codes = Object.fromEntries(REASONS.map((reason) => [reason, exitCodeOf(failed(reason))]));
    expect(codes).toEqual({
      ...Object.fromEntries(REASONS.map((reason) => [reason, 1])),
      ...{ aborted: 130, key: 12, 'registry-empty': 10 },
    });
  });
});

describe(mostSevere, () => {
  it('is the worst of what happened, in whatever order it did', () => {
    const order = [EXIT.ok, EXIT.partial, EXIT.error, EXIT.noRepository, EXIT.key, EXIT.usage, EXIT.interrupted];
    expect([...order].sort()).toEqual(Object.values(EXIT).toSorted());
    for (const [at, worse] of order.entries()) {
      for (const code of order.slice(0, at + 1)) {
        expect(mostSevere([code, worse])).toBe(worse);
        expect(mostSevere([worse, code])).toBe(worse);
      }
    }
    expect(mostSevere([])).toBe(0);
  });
});
