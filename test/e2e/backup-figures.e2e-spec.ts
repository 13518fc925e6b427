import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupJournal } from '../../src/backup/backup-journal';
import { BackupRunner } from '../../src/backup/schedule/backup-runner';
import { linear } from '../onnx/models';
import { describeInProcess, freshFolder, TestApp } from './test-app';

const GAUGES = [
  ...[
    'last_success_timestamp_seconds',
    'last_verified_timestamp_seconds',
    'rpo_seconds',
    'rpo_target_seconds',
    'expected_interval_seconds',
  ],
  ...['last_duration_seconds', 'last_bytes', 'last_new_bytes', 'last_objects', 'last_status', 'snapshots', 'damaged_snapshots'],
  ...['unsigned_snapshots', 'future_snapshots', 'oldest_unverified_seconds', 'verify_coverage_ratio', 'free_bytes', 'capacity_bytes'],
];
const COUNTERS = ['runs', 'failures', 'prunes', 'deleted_snapshots', 'collected_bytes'];

describeInProcess('the figures of backups', () => {
  let app: TestApp;
  let folder: string;
  beforeEach(async () => {
    folder = freshFolder();
    app = await TestApp.start({ env: { BACKUPS_DIR: folder }, modelsDir: freshFolder() });
  });
  afterEach(() => app.close());

  const text = async (): Promise<string> => {
    await app.app.get(BackupJournal).tick();
    return (await app.request().get('/metrics').expect(200)).text;
  };
  const figure = async (name: string): Promise<number> =>
    Number(new RegExp(`^backup_${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(await text())?.[1]);
  const health = async () => (await app.request().get('/health').expect(200)).body;

  it('are there from the start on, with their types', async () => {
    const types = [...(await text()).matchAll(/^# TYPE backup_(\S+) (\w+)$/gm)].map(([, name, type]) => `${type} ${name}`);
    expect(types.sort()).toEqual([...COUNTERS.map((name) => `counter ${name}_total`), ...GAUGES.map((name) => `gauge ${name}`)].sort());
    expect(await figure('expected_interval_seconds')).toBe(86_400);
    expect(await health()).toMatchObject({
      status: 'ok',
      details: { backup: { status: 'up', lastSuccess: null, rpoSeconds: expect.any(Number) } },
    });
  });

  it('tell of a run, and of what it took', async () => {
    await app.serve('line', linear([[1]]));
    expect(await app.app.get(BackupRunner).run('schedule', 'schedule')).toMatchObject({ outcome: 'completed' });
    const { details } = await health();
    expect(details.backup).toMatchObject({
      status: 'up',
      snapshots: 1,
      unverified: 0,
      lastSuccess: { objects: 2 },
      lastRun: { outcome: 'completed' },
    });
    expect(await figure('last_objects')).toBe(2);
    expect(await figure('rpo_seconds')).toBeLessThan(60);
    expect(await figure('last_success_timestamp_seconds')).toBeGreaterThan(Date.now() / 1000 - 60);
    expect(await figure('verify_coverage_ratio')).toBeCloseTo(1 / 7);
  });

  it('are degraded where something is lost, while everything else is ready as before', async () => {
    await app.serve('line', linear([[1]]));
    await app.app.get(BackupRunner).run('schedule', 'schedule');
    await rm(join(folder, 'blobs'), { recursive: true });
    await app.app.get(BackupJournal).look();
    expect(await health()).toMatchObject({
      status: 'degraded',
      details: { backup: { status: 'degraded', worries: ['damaged snapshots: 1'] } },
    });
    expect(await figure('damaged_snapshots')).toBe(1);
    expect((await app.request().get('/health/ready').expect(200)).body).toEqual({ status: 'ok', degraded: [] });
  });

  it('are degraded, and no failure, where the log of the backups cannot be read', async () => {
    await app.serve('line', linear([[1]]));
    await app.app.get(BackupRunner).run('schedule', 'schedule');
    await rm(join(folder, 'log', '00000000000000000001.json'));
    jest.spyOn(app.app.get(BackupJournal), 'figures').mockRejectedValueOnce(new Error('event 1 is missing'));
    const { details } = await health();
    expect(details.backup).toEqual({ status: 'degraded', worries: ['the backups cannot be read: event 1 is missing'] });
    await app.request().get('/health/ready').expect(200);
  });
});
