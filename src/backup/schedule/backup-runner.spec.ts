import { mkdtempSync } from 'node:fs';
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { BackupPlace } from '../../../test/backup/backup-place';
import { DurableFiles } from '../../storage/durable-files';
import { CollectionRefused } from '../retention/retention.errors';

describe('BackupRunner', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'runner-'));
  let root: string;
  let place: BackupPlace;
  const error = jest.fn();
  const log = jest.fn();

  beforeAll(() => {
    jest.spyOn(Logger.prototype, 'error').mockImplementation(error);
    jest.spyOn(Logger.prototype, 'log').mockImplementation(log);
    jest.spyOn(DurableFiles.prototype, 'flush').mockResolvedValue();
  });
  beforeEach(async () => {
    root = await mkdtemp(join(scratch, 'place-'));
    place = await BackupPlace.on(root, { keepDaily: 0, keepLast: 2 });
    error.mockClear();
    log.mockClear();
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    await rm(scratch, { recursive: true, force: true });
  });

  const run = () => place.runner.run('schedule', 'schedule');

  it('takes a snapshot, reads a part of it, another each time, and prunes', async () => {
    for (let night = 0; night < 8; night++) expect(await run()).toMatchObject({ outcome: 'completed', phase: 'done', objects: [] });
    const parts = (await place.events('snapshot.verified')).map(({ subset }) => subset);
    expect(parts).toEqual([1, 2, 3, 4, 5, 6, 7, 1].map((n) => ({ n, t: 7 })));
    expect((await place.inventory.list()).filter(({ deleted }) => deleted === undefined)).toHaveLength(2);
    expect(await place.counted('backup_runs_total')).toEqual([{ outcome: 'completed' }, 8]);
    expect(await place.counted('backup_deleted_snapshots_total')).toEqual([{}, 6]);
    expect(log.mock.calls.filter(([text]) => text === 'backup done')).toHaveLength(8);
    expect(error).not.toHaveBeenCalled();
  });

  it('says why where no snapshot could be taken, and what that is about', async () => {
    await place.house.publish('m', 'content');
    await rm(join(root, 'models', 'blobs'), { recursive: true });
    const outcome = await run();
    expect(outcome).toMatchObject({
      outcome: 'failed',
      phase: 'taking',
      reason: 'registry-damaged',
      objects: [expect.stringMatching(/^blobs\/sha256\//)],
    });
    expect(place.journal.lastRun).toBe(outcome);
    expect(error).toHaveBeenCalledWith('backup failed', expect.objectContaining({ phase: 'taking', reason: 'registry-damaged' }));
    expect(await place.counted('backup_failures_total')).toEqual([{ phase: 'taking', reason: 'registry-damaged' }, 1]);
  });

  it('tells and counts what somebody asked for as it does a run, and the next good one ends the worry', async () => {
    await place.house.publish('m', 'content');
    const blobs = join(root, 'models', 'blobs');
    await rename(blobs, join(root, 'elsewhere'));
    await expect(place.runner.take('ada')).rejects.toMatchObject({ code: 'SNAPSHOT_FAILED' });
    expect(place.journal.lastRun).toMatchObject({ outcome: 'failed', phase: 'taking', reason: 'registry-damaged' });
    expect(await place.counted('backup_runs_total')).toEqual([{ outcome: 'failed' }, 1]);
    expect(await place.counted('backup_failures_total')).toEqual([{ phase: 'taking', reason: 'registry-damaged' }, 1]);
    expect(await place.counted('backup_last_status')).toEqual([{}, 0]);
    await rename(join(root, 'elsewhere'), blobs);
    const { id, trigger } = await place.runner.take('ada');
    expect(trigger).toBe('manual');
    expect(place.journal.lastRun).toEqual({ outcome: 'completed', phase: 'done', snapshot: id, objects: [] });
    expect(await place.counted('backup_last_status')).toEqual([{}, 1]);
    expect(await place.events('snapshot.verified')).toEqual([]);
    await place.runner.prune('ada');
    expect(await place.counted('backup_prunes_total')).toEqual([{ outcome: 'ok' }, 1]);
  });

  it('does not prune, and names the objects, where the new snapshot is found damaged', async () => {
    for (let night = 0; night < 2; night++) await run();
    await place.house.publish('m', 'content');
    const take = place.taker.take.bind(place.taker);
    jest.spyOn(place.taker, 'take').mockImplementationOnce(async (options) => {
      const record = await take(options);
      const { objects } = await place.manifests.of(record.id);
      for (const { stored } of objects) await place.blobs.remove(stored);
      return record;
    });
    const outcome = await run();
    expect(outcome).toMatchObject({ outcome: 'failed', phase: 'verifying', reason: 'damaged', snapshot: expect.any(String) });
    expect(outcome.objects).toHaveLength(2);
    expect(await place.events('snapshot.deleted')).toEqual([]);
  });

  it.each([
    ['collection-refused', new CollectionRefused('test')],
    ['no-space', Object.assign(new Error('full'), { code: 'ENOSPC', syscall: 'write' })],
    ['disk', Object.assign(new Error('broken'), { code: 'EIO', syscall: 'read' })],
    ['unforeseen', new Error('anything')],
  ])('has taken its snapshot where the prune fails (%s), and says so', async (reason, failure) => {
    jest.spyOn(place.pruner, 'prune').mockRejectedValueOnce(failure);
    expect(await run()).toMatchObject({ outcome: 'failed', phase: 'pruning', reason, snapshot: expect.any(String) });
    expect(await place.counted('backup_prunes_total')).toEqual([{ outcome: 'failed' }, 1]);
    expect(await readdir(join(root, 'backups', 'snapshots'))).toHaveLength(1);
  });
});
