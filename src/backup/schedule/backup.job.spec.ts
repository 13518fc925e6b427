import { Logger } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { BackupConfig } from '../../config/app-config';
import { CorrelationContext } from '../../logging/correlation-context';
import type { BackupJournal } from '../backup-journal';
import type { RunOutcome } from '../backup-figures';
import type { BackupRunner } from './backup-runner';
import { BackupJob } from './backup.job';

/** Also no time at all is waited for in a turn of its own. */
const TURN_MS = 10;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NOON = Date.UTC(2026, 10, 23, 12);
const THREE = NOON + 15 * HOUR_MS;

/** A job whose runs write down when they began, and make a cut as a backup does. */
function house(settings: Partial<BackupConfig> = {}, lastCut = NOON) {
  const notes = { runs: [] as string[], ids: [] as (string | undefined)[], skipped: [] as (string | undefined)[] };
  const world = { cut: lastCut, gate: Promise.resolve() as Promise<unknown>, cutAtOnce: true };
  const journal = {
    // ahead of now where the clock was set back, as the beginning of a registry may be
    lastCut: async (_now: Date) => new Date(world.cut),
    record: async ({ outcome, reason }: RunOutcome) => void (outcome === 'skipped' && notes.skipped.push(reason)),
  };
  const runner = {
    run: async () => {
      notes.runs.push(new Date().toISOString());
      notes.ids.push(CorrelationContext.current?.correlationId);
      if (world.cutAtOnce) world.cut = Date.now();
      await world.gate;
    },
  };
  const scheduler = new SchedulerRegistry();
  const job = new BackupJob(
    Object.assign(new BackupConfig(), settings),
    scheduler,
    journal as unknown as BackupJournal,
    runner as unknown as BackupRunner,
  );
  return { job, journal, scheduler, world, ...notes };
}

describe(BackupJob, () => {
  beforeEach(() => {
    Logger.overrideLogger(false);
    jest.useFakeTimers({ now: NOON });
    jest.spyOn(Math, 'random').mockReturnValue(0);
  });
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  it('runs at three, every night, under an id of its own', async () => {
    const { job, runs, ids } = house();
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(15 * HOUR_MS - 1);
    expect(runs).toEqual([]);
    await jest.advanceTimersByTimeAsync(3 * DAY_MS);
    expect(runs.map((at) => at.slice(0, 16))).toEqual(['2026-11-24T03:00', '2026-11-25T03:00', '2026-11-26T03:00']);
    expect(ids.every((id) => /^backup-[0-9a-f-]{36}$/.test(id ?? ''))).toBe(true);
    expect(new Set(ids).size).toBe(3);
    await job.beforeApplicationShutdown();
  });

  it('knows the zone, and its change of the clocks', async () => {
    jest.setSystemTime(Date.UTC(2026, 9, 24, 12));
    const { job, runs } = house({ timezone: 'Europe/Prague' }, Date.UTC(2026, 9, 24, 12));
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(2 * DAY_MS);
    expect(runs.map((at) => at.slice(0, 16))).toEqual(['2026-10-25T02:00', '2026-10-26T02:00']);
    await job.beforeApplicationShutdown();
  });

  it('does nothing where it is off', async () => {
    const { job, runs, scheduler } = house({ schedule: 'off' }, 0);
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(3 * DAY_MS);
    expect(runs).toEqual([]);
    expect(scheduler.getCronJobs().size).toBe(0);
    await job.beforeApplicationShutdown();
  });

  it('catches up once at the start, however many were missed', async () => {
    const { job, runs } = house({}, NOON - 10 * DAY_MS);
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(14 * HOUR_MS);
    expect(runs).toEqual(['2026-11-23T12:00:00.000Z']);
    await job.beforeApplicationShutdown();
  });

  it('catches up nothing where none was missed', async () => {
    const { job, runs } = house({}, NOON - 8 * HOUR_MS);
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(14 * HOUR_MS);
    expect(runs).toEqual([]);
    await job.beforeApplicationShutdown();
  });

  it('does not try one that failed again before the next is due, nor after a missed one', async () => {
    const { job, runs, world } = house({}, NOON - 10 * DAY_MS);
    world.cutAtOnce = false;
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(DAY_MS);
    expect(runs.map((at) => at.slice(0, 16))).toEqual(['2026-11-23T12:00', '2026-11-24T03:00']);
    await job.beforeApplicationShutdown();
  });

  it('finds within a minute what was missed while the machine slept', async () => {
    const { job, runs } = house();
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(HOUR_MS);
    jest.setSystemTime(NOON + 20 * HOUR_MS);
    await jest.advanceTimersByTimeAsync(MINUTE_MS + TURN_MS);
    expect(runs).toHaveLength(1);
    await job.beforeApplicationShutdown();
  });

  it('goes on at the times of the new clock where it was set back by a year, or ahead', async () => {
    for (const jump of [-365 * DAY_MS, 365 * DAY_MS]) {
      jest.setSystemTime(NOON);
      const { job, runs } = house();
      job.onApplicationBootstrap();
      await jest.advanceTimersByTimeAsync(DAY_MS);
      jest.setSystemTime(NOON + DAY_MS + jump);
      await jest.advanceTimersByTimeAsync(2 * DAY_MS);
      const after = runs.filter((at) => at.startsWith(new Date(NOON + jump).toISOString().slice(0, 4)));
      expect(after.map((at) => at.slice(11, 13)).slice(-2)).toEqual(['03', '03']);
      expect(after.length).toBeLessThanOrEqual(3); // what a clock set ahead has made due is caught up once
      await job.beforeApplicationShutdown();
    }
  });

  it('never runs twice at once: what is due meanwhile is skipped, counted, and not caught up', async () => {
    const { job, runs, skipped, world } = house({ schedule: '*/10 * * * *' });
    const gate = Promise.withResolvers<void>();
    world.gate = gate.promise;
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(35 * MINUTE_MS);
    expect(runs).toHaveLength(1);
    expect(skipped).toEqual(['still-running', 'still-running']);
    gate.resolve();
    await jest.advanceTimersByTimeAsync(4 * MINUTE_MS);
    expect(runs).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(MINUTE_MS + TURN_MS);
    expect(runs).toHaveLength(2);
    await job.beforeApplicationShutdown();
  });

  it('waits up to a minute by chance, and leaves it to a replica that was faster', async () => {
    jest.mocked(Math.random).mockReturnValue(0.5);
    const { job, runs, skipped, world } = house();
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(15 * HOUR_MS + 29_000);
    expect(runs).toEqual([]);
    await jest.advanceTimersByTimeAsync(1000);
    expect(runs).toEqual(['2026-11-24T03:00:30.000Z']);
    await jest.advanceTimersByTimeAsync(DAY_MS - 20_000); // ten seconds after the next one was due
    world.cut = Date.now();
    await jest.advanceTimersByTimeAsync(MINUTE_MS);
    expect(runs).toHaveLength(1);
    expect(skipped).toEqual(['made-elsewhere']);
    await job.beforeApplicationShutdown();
  });

  it('runs at its time also where nobody can read when the last one was', async () => {
    const { job, runs, journal } = house();
    journal.lastCut = () => Promise.reject(new Error('EIO'));
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(2 * DAY_MS);
    expect(runs.map((at) => at.slice(0, 13))).toEqual(['2026-11-24T03', '2026-11-25T03']);
    await job.beforeApplicationShutdown();
  });

  it('is never cut off by a shutdown, which waits for what runs, and starts nothing more', async () => {
    const { job, runs, world } = house();
    const gate = Promise.withResolvers<void>();
    world.gate = gate.promise;
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(THREE - NOON + TURN_MS);
    expect(runs).toHaveLength(1);
    let stopped = 0;
    // the second one is that of an impatient operator
    const stopping = [1, 2].map(() => job.beforeApplicationShutdown().then(() => stopped++));
    await jest.advanceTimersByTimeAsync(2 * DAY_MS);
    expect(stopped).toBe(0);
    gate.resolve();
    await Promise.all(stopping);
    await jest.advanceTimersByTimeAsync(2 * DAY_MS);
    expect(runs).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('does not begin what only waits its turn by chance when the service stops', async () => {
    jest.mocked(Math.random).mockReturnValue(0.9);
    const { job, runs, skipped } = house();
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(THREE - NOON + 1000);
    await job.beforeApplicationShutdown();
    expect(runs).toEqual([]);
    expect(skipped).toEqual(['stopping']);
  });
});
