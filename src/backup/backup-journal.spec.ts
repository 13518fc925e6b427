import { mkdtempSync } from 'node:fs';
import fs, { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { BackupPlace } from '../../test/backup/backup-place';
import { DurableFiles } from '../storage/durable-files';
import { volumeOf } from '../storage/free-space';
import type { BackupFigures } from './backup-figures';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START = Date.UTC(2026, 10, 23, 3);

describe('BackupJournal', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'journal-'));
  let root: string;
  let place: BackupPlace;

  beforeAll(() => {
    Logger.overrideLogger(false);
    jest.spyOn(DurableFiles.prototype, 'flush').mockResolvedValue();
  });
  beforeEach(async () => {
    jest.useFakeTimers({
      now: START,
      doNotFake: ['nextTick', 'setImmediate', 'setTimeout', 'setInterval', 'queueMicrotask', 'performance'],
    });
    root = await mkdtemp(join(scratch, 'place-'));
    place = await BackupPlace.on(root);
  });
  afterEach(() => {
    jest.useRealTimers();
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    await rm(scratch, { recursive: true, force: true });
  });

  const later = (ms: number): void => jest.setSystemTime(Date.now() + ms);
  const worries = async (figures?: BackupFigures): Promise<readonly string[]> =>
    place.journal.worries(figures ?? (await place.journal.figures()));
  const unverified = () => place.taker.take({ trigger: 'manual', actor: 'ada', correlationId: 'c' });

  it('counts from the beginning of the registry where there is no snapshot, and worries after two intervals', async () => {
    later(HOUR_MS);
    expect(await place.journal.figures()).toMatchObject({
      rpoSeconds: 3600,
      expectedIntervalSeconds: 86_400,
      lastSuccess: null,
      lastVerified: null,
      snapshots: 0,
    });
    expect(await worries()).toEqual([]);
    later(2 * DAY_MS);
    expect(await worries()).toEqual(['the newest verified snapshot is older than two intervals of the schedule']);
  });

  it('tells how full the volume is, of a folder that is not there yet and of a log that is damaged too, and makes no folder', async () => {
    await place.journal.tick();
    const { totalBytes } = await volumeOf(root);
    expect(await place.counted('backup_capacity_bytes')).toEqual([{}, totalBytes]);
    expect(await readdir(root)).not.toContain('backups');
    await place.backup('one');
    jest.spyOn(place.log, 'read').mockImplementation(() => {
      throw new Error('damaged');
    });
    const statfs = jest.spyOn(fs, 'statfs').mockResolvedValue({ bsize: 4096, blocks: 100, bfree: 20, bavail: 10 } as never);
    await place.journal.tick();
    statfs.mockRestore();
    expect(await place.counted('backup_free_bytes')).toEqual([{}, 40_960]);
    expect(await place.counted('backup_capacity_bytes')).toEqual([{}, 409_600]);
  });

  it('counts from the newest cut that is verified, and no other', async () => {
    const { id } = await place.backup('one');
    later(DAY_MS);
    await unverified();
    later(HOUR_MS);
    expect(await place.journal.figures()).toMatchObject({
      rpoSeconds: 90_000,
      lastVerified: { id, level: 'structure' },
      snapshots: 2,
      unverified: 1,
      oldestUnverifiedSeconds: 3600,
      unsigned: 2,
    });
  });

  it('says the same after a restart, also where another process took it', async () => {
    await place.backup('one');
    const other = await BackupPlace.on(root);
    const { id } = await other.backup('two');
    later(HOUR_MS);
    const figures = await place.journal.figures();
    expect(figures).toMatchObject({
      lastSuccess: { id, bytes: expect.any(Number), seconds: expect.any(Number), signed: false },
      snapshots: 2,
    });
    expect(await (await BackupPlace.on(root)).journal.figures()).toEqual(figures);
  });

  it('does not take a snapshot that is dated ahead for one of now', async () => {
    jest.setSystemTime(START + 365 * DAY_MS);
    await place.backup('ahead');
    jest.setSystemTime(START + HOUR_MS);
    const figures = await place.journal.figures();
    expect(figures).toMatchObject({ rpoSeconds: 3600, lastVerified: null, future: 1 });
    expect(await worries(figures)).toEqual([expect.stringContaining('dated after now')]);
  });

  it('does not count what is deleted, nor what a look at the disk found damaged', async () => {
    const first = await place.backup('one');
    later(HOUR_MS);
    const second = await place.backup('two');
    later(HOUR_MS);
    await rm(join(root, 'backups', 'blobs', 'sha256', second.manifest.slice(0, 2), second.manifest));
    expect((await place.journal.figures()).rpoSeconds).toBe(3600);
    await place.journal.look();
    const figures = await place.journal.figures();
    expect(figures).toMatchObject({ rpoSeconds: 7200, damaged: 1, lastVerified: { id: first.id } });
    expect(await worries(figures)).toEqual(['damaged snapshots: 1']);
    await place.pruner.delete(second.id, 'ada', 'lost');
    expect(await place.journal.figures()).toMatchObject({ damaged: 0, snapshots: 1 });
  });

  it('worries where the last run failed, until one is good; one that was skipped says nothing', async () => {
    await place.journal.record({ outcome: 'failed', phase: 'taking', reason: 'no-space', objects: [] });
    await place.journal.record({ outcome: 'skipped', phase: 'waiting', reason: 'still-running', objects: [] });
    expect(await worries()).toEqual(['the last run failed while taking: no-space']);
    await place.journal.record({ outcome: 'completed', phase: 'done', objects: [] });
    expect(await worries()).toEqual([]);
  });

  it('has no interval where the schedule is off, and then never finds a snapshot too old', async () => {
    place = await BackupPlace.on(root, { schedule: 'off' });
    later(100 * DAY_MS);
    expect((await place.journal.figures()).expectedIntervalSeconds).toBeNull();
    expect(await worries()).toEqual([]);
  });

  it('does not hide that the log cannot be read', async () => {
    await place.backup('one');
    await writeFile(join(root, 'backups', 'log', '00000000000000000003.json'), '{', { flag: 'w' });
    await expect(place.journal.figures()).rejects.toMatchObject({ code: 'LOG_DAMAGED' });
    await place.journal.tick(); // and goes on looking
  });

  it('knows the newest cut that is not ahead of now, whoever made it, else when the registry began', async () => {
    later(HOUR_MS);
    expect(await place.journal.lastCut(new Date())).toEqual(new Date(START));
    await unverified();
    expect(await place.journal.lastCut(new Date())).toEqual(new Date(START + HOUR_MS));
    expect(await place.journal.lastCut(new Date(START + 1))).toEqual(new Date(START));
  });
});
