import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { Counter, Gauge, Registry } from 'prom-client';
import { BackupConfig } from '../../config/app-config';
import type { EventFields } from '../../storage/event-log.port';
import { LOG_START, type LogPosition } from '../../storage/event-log.port';
import { FileEventLog } from '../../storage/file-event.log';
import { DrillJournal } from './drill-journal';
import { DRILL_COUNTERS, DRILL_GAUGES, DrillMetrics } from './drill.metrics';

const DAY_MS = 86_400_000;
const START = Date.UTC(2026, 10, 22, 3);
const NEWEST = '20261122T030000Z-9-0001';
const OLDER = '20261121T030000Z-8-0002';
const FAILURE = { phase: 'restoring', reason: 'digest', detail: 'its bytes are not those that were stored', objects: ['blobs/x'] };

describe(DrillJournal, () => {
  let root: string;
  let log: FileEventLog;
  let at: LogPosition;
  let figures: Registry;

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(async () => {
    jest.useFakeTimers({
      now: START,
      doNotFake: ['nextTick', 'setImmediate', 'setTimeout', 'setInterval', 'queueMicrotask', 'performance'],
    });
    root = await mkdtemp(join(tmpdir(), 'drill-journal-'));
    log = new FileEventLog(root);
    at = LOG_START;
  });
  afterEach(async () => {
    jest.useRealTimers();
    await rm(root, { recursive: true });
  });

  const later = (ms: number): void => jest.setSystemTime(Date.now() + ms);

  async function append(fields: Omit<EventFields, 'actor' | 'correlationId'> & { readonly kind: string }): Promise<void> {
    ({ position: at } = await log.append(at, { ...fields, actor: 'ada', correlationId: 'test' }));
  }
  const taken = (id: string): Promise<void> => {
    const now = new Date().toISOString();
    const figuresOfIt = { signed: false, encrypted: false, objects: 3, bytes: 9, newBytes: 9 };
    return append({
      ...{ kind: 'snapshot.completed', id, registrySeq: 9, lineage: 'l', createdAt: now, startedAt: now, trigger: 'manual' },
      ...{ manifest: 'a'.repeat(64), ...figuresOfIt },
    });
  };
  const drilled = (id: string, more: object = {}): Promise<void> => {
    const times = { restoreMs: 1000, verifyMs: 200, loadMs: 300, replayMs: 100, ms: 2000 };
    return append({ kind: 'snapshot.drilled', id, ok: true, newest: id === NEWEST, run: 'r', last: true, ...times, ...more });
  };

  function journal(settings: Partial<BackupConfig> = {}): DrillJournal {
    figures = new Registry();
    const registers = [figures];
    const gauges = Object.entries(DRILL_GAUGES).map(([key, [name, help]]) => [key, new Gauge({ name, help, registers })]);
    const counters = Object.entries(DRILL_COUNTERS).map(([key, [name, help, labelNames]]) => [
      key,
      new Counter({ name, help, labelNames, registers }),
    ]);
    const metrics = new DrillMetrics(Object.fromEntries(gauges), Object.fromEntries(counters));
    return new DrillJournal(Object.assign(new BackupConfig(), settings), log, metrics);
  }
  const worries = async (of = journal()): Promise<readonly string[]> => of.worries(await of.figures());
  const figure = async (name: string): Promise<number | undefined> => (await figures.getSingleMetric(name)?.get())?.values[0]?.value;

  it('knows nothing before there is a snapshot, and nothing is due', async () => {
    expect(await journal().figures()).toEqual({
      ...{ expectedIntervalSeconds: 7 * 86_400, lastRun: null, lastSuccess: null, sinceSuccessSeconds: 0 },
      ...{ rtoSeconds: null, rtoTargetSeconds: null, failed: [] },
    });
    expect(await worries()).toEqual([]);
    expect(await journal().lastDone(new Date())).toEqual(new Date());
  });

  it('counts from the first snapshot, and is overdue after two intervals', async () => {
    await taken(NEWEST);
    expect(await journal().lastDone(new Date())).toEqual(new Date(START));
    later(14 * DAY_MS);
    expect(await worries()).toEqual([]);
    later(1000);
    expect(await worries()).toEqual(['no drill has been good for two intervals of its schedule']);
    await journal().tick();
    expect(await figure('restore_drill_since_success_seconds')).toBe(14 * 86_400 + 1);
    expect(await worries(journal({ drillSchedule: 'off' }))).toEqual([]);
    await drilled(NEWEST);
    expect(await worries()).toEqual([]);
  });

  it('tells of a run as the sum of its drills, after a restart too', async () => {
    for (const id of [OLDER, NEWEST]) await taken(id);
    await drilled(NEWEST, { last: false });
    await drilled(OLDER, { ms: 500, restoreMs: 100 });
    const run = { at: new Date(START).toISOString(), ok: true, ms: 2500 };
    const told = journal();
    expect(await told.figures()).toMatchObject({ lastRun: run, lastSuccess: run, rtoSeconds: 1.5 });
    await told.tick();
    expect(await figure('restore_drill_duration_seconds')).toBe(2.5);
    expect(await figure('restore_drill_last_success_timestamp_seconds')).toBe(START / 1000);
    expect(await figure('restore_drill_last_status')).toBe(1);
    expect(await figure('restore_drill_expected_interval_seconds')).toBe(7 * 86_400);
    expect(await figure('restore_rto_seconds')).toBe(1.5);
  });

  it('takes a run that was cut off for none', async () => {
    for (const id of [OLDER, NEWEST]) await taken(id);
    await drilled(NEWEST, { last: false });
    expect(await journal().figures()).toMatchObject({ lastRun: null, lastSuccess: null });
  });

  it('takes a drill of an older snapshot alone for no run: the schedule does not wait for it', async () => {
    await taken(NEWEST);
    later(DAY_MS);
    await drilled(OLDER);
    expect(await journal().figures()).toMatchObject({ lastRun: null, rtoSeconds: null });
    expect(await journal().lastDone(new Date())).toEqual(new Date(START));
  });

  it('worries where a drill failed, until that snapshot is good or gone', async () => {
    for (const id of [OLDER, NEWEST]) await taken(id);
    await drilled(NEWEST, { last: false });
    later(1000);
    await drilled(OLDER, { ok: false, failure: FAILURE });
    const failing = journal();
    expect(await worries(failing)).toEqual([`the drill of ${OLDER} failed while restoring: digest`]);
    await failing.tick();
    expect(await figure('restore_drill_last_status')).toBe(0);
    expect(await figure('restore_drill_last_success_timestamp_seconds')).toBe(0);
    expect(await failing.lastDone(new Date())).toEqual(new Date(START + 1000)); // what failed is not tried again at once
    await drilled(NEWEST, { run: 'another' });
    expect(await worries()).toHaveLength(1);
    await append({ kind: 'snapshot.deleted', ids: [OLDER], reason: 'so' });
    expect(await worries()).toEqual([]);
  });

  it('worries of this process’s last run also where it could not be written down, and counts', async () => {
    const told = journal();
    await told.record({ outcome: 'skipped', failures: [{ phase: 'waiting', reason: 'still-running' }] });
    expect(await worries(told)).toEqual([]);
    await told.record({ outcome: 'failed', failures: [{ id: NEWEST, phase: 'restoring', reason: 'repository-damaged' }] });
    expect(await worries(told)).toEqual([`the drill of ${NEWEST} failed while restoring: repository-damaged`]);
    await told.record({ outcome: 'completed', failures: [] });
    expect(await worries(told)).toEqual([]);
    const { values = [] } = (await figures.getSingleMetric('restore_drill_runs_total')?.get()) ?? {};
    expect(values.map(({ labels, value }) => [labels['outcome'], value])).toEqual([
      ['skipped', 1],
      ['failed', 1],
      ['completed', 1],
    ]);
    const failures = (await figures.getSingleMetric('restore_drill_failures_total')?.get())?.values ?? [];
    expect(failures.map(({ labels }) => labels)).toEqual([
      { phase: 'waiting', reason: 'still-running' },
      { phase: 'restoring', reason: 'repository-damaged' },
    ]);
  });

  it('worries where a restore takes longer than it may', async () => {
    await taken(NEWEST);
    await drilled(NEWEST);
    expect(await worries(journal({ rtoTargetSeconds: 2 }))).toEqual([]);
    expect(await worries(journal({ rtoTargetSeconds: 1 }))).toEqual([
      'a restore takes 1.5 s, longer than RESTORE_RTO_TARGET_SECONDS=1 allows',
    ]);
  });
});
