import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DrillJournal } from '../../src/backup/drill/drill-journal';
import { linear } from '../onnx/models';
import { describeInProcess, freshFolder, logLines, TestApp } from './test-app';

const GAUGES = [
  ...[
    'restore_drill_duration_seconds',
    'restore_drill_last_success_timestamp_seconds',
    'restore_drill_last_status',
    'restore_drill_since_success_seconds',
  ],
  ...['restore_drill_expected_interval_seconds', 'restore_rto_seconds', 'restore_rto_target_seconds'],
];
const COUNTERS = ['restore_drill_runs_total', 'restore_drill_failures_total'];

describeInProcess('drills over HTTP', () => {
  let app: TestApp;
  let folder: string;
  const modelsDir = freshFolder();

  const start = async (env: Readonly<Record<string, string>> = {}): Promise<void> => {
    app = await TestApp.start({ env: { BACKUPS_DIR: folder, BACKUP_SCHEDULE: 'off', ...env }, modelsDir });
  };
  beforeAll(async () => {
    folder = freshFolder();
    await start();
    await app.serve('line', linear([[2]]));
  });
  afterAll(() => app.close());

  const drill = (body: object = {}) => app.request().post('/api/v1/backups/drill').send(body);
  const text = async (): Promise<string> => (await app.request().get('/metrics').expect(200)).text;
  const figure = async (name: string): Promise<number> => Number(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(await text())?.[1]);
  const health = async () => (await app.request().get('/health').expect(200)).body;

  it('have figures from the start on, with their types', async () => {
    const types = [...(await text()).matchAll(/^# TYPE (restore_\S+) (\w+)$/gm)].map(([, name, type]) => `${type} ${name}`);
    expect(types.sort()).toEqual([...COUNTERS.map((name) => `counter ${name}`), ...GAUGES.map((name) => `gauge ${name}`)].sort());
    await app.app.get(DrillJournal).tick();
    expect(await figure('restore_drill_expected_interval_seconds')).toBe(7 * 86_400);
    expect(await figure('restore_drill_last_status')).toBe(1);
  });

  it('find nothing where there is nothing, and take no other words', async () => {
    expect((await drill().expect(404)).body.code).toBe('SNAPSHOT_NOT_FOUND');
    expect((await drill({ id: '20261123T030000Z-42-0f3a' }).expect(404)).body.code).toBe('SNAPSHOT_NOT_FOUND');
    expect((await drill({ id: 'yesterday' }).expect(400)).body.code).toBe('INVALID_NAME');
    expect((await drill({ allowUnsigned: 'yes' }).expect(400)).body.code).toBe('MALFORMED_BODY');
    expect((await drill({ models: [] }).expect(400)).body.code).toBe('MALFORMED_BODY');
  });

  it('are reported, shown in the list, counted, measured and logged, while what is served goes on', async () => {
    const { body: taken } = await app.request().post('/api/v1/backups').expect(201);
    const { body } = await drill().expect(200);
    expect(body).toEqual({
      ...{ ok: true, ms: expect.any(Number) },
      snapshots: [expect.objectContaining({ id: taken.id, newest: true, ok: true, objects: taken.objects, bytes: taken.bytes, models: 1 })],
    });
    const { body: shown } = await app.request().get(`/api/v1/backups/${taken.id}`).expect(200);
    expect(shown.drilled).toEqual({ at: expect.any(String), ok: true, ms: body.snapshots[0].ms });
    expect(await figure('restore_drill_runs_total')).toBe(1);
    const [{ restoreMs, verifyMs, loadMs, ms }] = body.snapshots;
    expect(await figure('restore_rto_seconds')).toBe((restoreMs + verifyMs + loadMs) / 1000);
    expect(await figure('restore_drill_duration_seconds')).toBe(ms / 1000);
    expect(await figure('restore_drill_last_success_timestamp_seconds')).toBe(Date.parse(shown.drilled.at) / 1000);
    expect((await health()).details.backup).toMatchObject({
      status: 'up',
      drill: { lastRun: { ok: true, ms }, failed: [], rtoSeconds: (restoreMs + verifyMs + loadMs) / 1000 },
    });
    expect(logLines.filter(({ msg }) => msg === 'snapshot drilled')).toMatchObject([{ id: taken.id, ok: true }]);
    expect(await readdir(join(folder, '.staging'))).toEqual([]);
    const { body: answer } = await app
      .request()
      .post('/api/v1/predict/line')
      .send({ instances: [[21]] })
      .expect(200);
    expect(answer.predictions[0].prediction).toBe(42);
  });

  it('that fail are 200 with what is wrong, and health is degraded, not readiness, after a restart too', async () => {
    await rm(join(folder, 'blobs'), { recursive: true });
    const { body } = await drill({ id: 'latest' }).expect(200);
    expect(body).toMatchObject({ ok: false, snapshots: [{ ok: false, failure: { phase: 'restoring', reason: 'missing' } }] });
    expect(body.snapshots[0].failure.objects.length).toBeGreaterThan(0);
    expect(await text()).toContain('restore_drill_failures_total{phase="restoring",reason="missing"} 1');
    expect(await figure('restore_drill_last_status')).toBe(0);
    await app.close();
    await start({ RESTORE_RTO_TARGET_SECONDS: '0', BACKUP_RPO_TARGET_SECONDS: '1' });
    const { status, details } = await health();
    expect([status, details.backup.status]).toEqual(['degraded', 'degraded']);
    expect(details.backup.worries).toEqual(
      expect.arrayContaining([
        'the newest verified snapshot is older than BACKUP_RPO_TARGET_SECONDS=1 allows',
        `the drill of ${body.snapshots[0].id} failed while restoring: missing`,
      ]),
    );
    await app.app.get(DrillJournal).tick();
    expect(await figure('restore_drill_last_status')).toBe(0);
    expect((await app.request().get('/health/ready').expect(200)).body).toEqual({ status: 'ok', degraded: [] });
  });
});
