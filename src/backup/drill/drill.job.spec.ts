import { Logger } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { CronSchedule } from '../schedule/cron-schedule';
import type { DrillJournal } from './drill-journal';
import type { DrillRunner } from './drill-runner';
import { DrillJob } from './drill.job';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A Monday. */
const NOON = Date.UTC(2026, 10, 23, 12);

/** A job whose runs write down when they began, as drills do. */
function house(expression: string | undefined, lastDone = NOON) {
  const world = { done: lastDone, runs: [] as string[], skipped: [] as string[], gate: Promise.resolve() as Promise<unknown> };
  const journal = {
    schedule: expression === undefined ? undefined : new CronSchedule(expression, 'UTC'),
    lastDone: async () => new Date(world.done),
  };
  const runner = {
    run: async () => {
      world.runs.push(new Date().toISOString().slice(0, 16));
      await world.gate;
      world.done = Date.now();
    },
    skipped: async (reason: string) => void world.skipped.push(reason),
  };
  const scheduler = new SchedulerRegistry();
  const job = new DrillJob(scheduler, journal as unknown as DrillJournal, runner as unknown as DrillRunner);
  return { job, scheduler, world };
}

describe(DrillJob, () => {
  beforeEach(() => {
    Logger.overrideLogger(false);
    jest.useFakeTimers({ now: NOON });
    jest.spyOn(Math, 'random').mockReturnValue(0);
  });
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  it('runs on Sundays at four', async () => {
    const { job, world } = house('0 4 * * 0');
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(14 * DAY_MS);
    expect(world.runs).toEqual(['2026-11-29T04:00', '2026-12-06T04:00']);
    await job.beforeApplicationShutdown();
  });

  it('catches up once, however many were missed', async () => {
    const { job, world } = house('0 4 * * 0', NOON - 60 * DAY_MS);
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(DAY_MS);
    expect(world.runs).toEqual(['2026-11-23T12:00']);
    await job.beforeApplicationShutdown();
  });

  it('leaves it to a replica that was faster, and never runs twice at once', async () => {
    jest.mocked(Math.random).mockReturnValue(0.5);
    const { job, world } = house('0 * * * *');
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(HOUR_MS + 1000);
    world.done = Date.now();
    await jest.advanceTimersByTimeAsync(60_000);
    expect([world.runs, world.skipped]).toEqual([[], ['made-elsewhere']]);
    const gate = Promise.withResolvers<void>();
    world.gate = gate.promise;
    await jest.advanceTimersByTimeAsync(2 * HOUR_MS);
    expect([world.runs.length, world.skipped]).toEqual([1, ['made-elsewhere', 'still-running']]);
    gate.resolve();
    await job.beforeApplicationShutdown();
  });

  it('does nothing where it is off', async () => {
    const { job, scheduler, world } = house(undefined, 0);
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(30 * DAY_MS);
    expect([world.runs, scheduler.getCronJobs().size]).toEqual([[], 0]);
    await job.beforeApplicationShutdown();
  });
});
