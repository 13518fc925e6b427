import { Logger } from '@nestjs/common';
import { StorageConfig } from '../../config/app-config';
import { CorrelationContext } from '../../logging/correlation-context';
import type { StorageKeeper } from '../../storage/storage-keeper.service';
import type { BlobCollector } from './blob-collector';
import type { BlobScrub } from './blob-scrub';
import { UpkeepJob } from './upkeep.job';

const TEN_MINUTES = 600_000;

/** A job whose tasks write down when they begin and end, and under which id. */
function house(settings: Partial<StorageConfig> = {}) {
  const notes: string[] = [];
  const ids: (string | undefined)[] = [];
  const shares: number[] = [];
  const ages: unknown[] = [];
  const faults: Record<string, Error> = {};
  const gates: Record<string, Promise<void>> = {};
  const task = async (name: string): Promise<void> => {
    notes.push(name);
    ids.push(CorrelationContext.current?.correlationId);
    await gates[name];
    if (faults[name] !== undefined) throw faults[name];
    notes.push(`${name} done`);
  };
  const keeper = { sweep: () => task('sweep') };
  const collector = {
    collect: (actor: string, minAgeMs: number) => {
      ages.push(minAgeMs);
      return task(`collect by ${actor}`);
    },
  };
  const scrub = {
    slice: (share: number) => {
      shares.push(share);
      return task('scrub');
    },
  };
  const job = new UpkeepJob(
    Object.assign(new StorageConfig(), settings),
    keeper as unknown as StorageKeeper,
    collector as unknown as BlobCollector,
    scrub as unknown as BlobScrub,
  );
  return { job, notes, ids, shares, ages, faults, gates };
}

const ALL = ['sweep', 'sweep done', 'collect by upkeep', 'collect by upkeep done', 'scrub', 'scrub done'];

describe(UpkeepJob, () => {
  const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
  beforeEach(() => {
    jest.useFakeTimers();
    error.mockClear();
  });
  afterEach(() => {
    jest.useRealTimers();
  });
  afterAll(() => {
    jest.restoreAllMocks();
  });

  it('looks after everything every ten minutes, one after another, and not before', async () => {
    const { job, notes } = house();
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(TEN_MINUTES - 1);
    expect(notes).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(notes).toEqual(ALL);
    await jest.advanceTimersByTimeAsync(2 * TEN_MINUTES);
    expect(notes).toEqual([...ALL, ...ALL, ...ALL]);
    await job.beforeApplicationShutdown();
  });

  it('does nothing before the application has started', async () => {
    const { job, notes } = house();
    await jest.advanceTimersByTimeAsync(10 * TEN_MINUTES);
    expect(notes).toEqual([]);
    await job.beforeApplicationShutdown(); // and may be stopped before it was started
  });

  it('works under one id a run, which no other run has', async () => {
    const { job, ids } = house();
    await job.tick();
    await job.tick();
    expect(ids).toHaveLength(6);
    expect(ids[0]).toMatch(/^upkeep-[0-9a-f-]{36}$/);
    expect(new Set(ids.slice(0, 3)).size).toBe(1);
    expect(new Set(ids.slice(3)).size).toBe(1);
    expect(ids[3]).not.toBe(ids[0]);
  });

  it('never works twice at once, however long it takes', async () => {
    const { job, notes, gates } = house();
    const gate = Promise.withResolvers<void>();
    gates['sweep'] = gate.promise;
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(5 * TEN_MINUTES);
    expect(notes).toEqual(['sweep']);
    const joined = job.tick();
    gate.resolve();
    await joined;
    expect(notes).toEqual(ALL);
    await jest.advanceTimersByTimeAsync(TEN_MINUTES);
    expect(notes).toEqual([...ALL, ...ALL]);
    await job.beforeApplicationShutdown();
  });

  it.each([
    ['sweep', ALL.filter((note) => note !== 'sweep done')],
    ['collect by upkeep', ALL.filter((note) => note !== 'collect by upkeep done')],
    ['scrub', ALL.filter((note) => note !== 'scrub done')],
  ])('does the rest where one task fails (%s), says so, and tries it again the next time', async (name, expected) => {
    const { job, notes, faults } = house();
    const fault = new Error('EIO');
    faults[name] = fault;
    await job.tick();
    expect(notes).toEqual(expected);
    expect(error.mock.calls).toEqual([['upkeep failed', { task: name.split(' ')[0], err: fault }]]);
    delete faults[name];
    await job.tick();
    expect(notes).toEqual([...expected, ...ALL]);
  });

  it('never rejects, whatever fails', async () => {
    const { job, faults } = house();
    for (const name of ['sweep', 'collect by upkeep', 'scrub']) faults[name] = new Error(name);
    await expect(job.tick()).resolves.toBeUndefined();
    expect(error).toHaveBeenCalledTimes(3);
  });

  it('reads as much as brings it round once in the configured days', async () => {
    const { job, shares } = house({ scrubDays: 7 });
    await job.tick();
    expect(shares).toEqual([1 / (7 * 144)]);
  });

  it('reads nothing where that is switched off, and does the rest', async () => {
    const { job, notes } = house({ scrubDays: 0 });
    await job.tick();
    expect(notes).toEqual(ALL.slice(0, 4));
  });

  it('lets blobs that no version needs be as old as an unfinished upload', async () => {
    const { job, ages } = house({ uploadTtlHours: 3 });
    await job.tick();
    expect(ages).toEqual([{ minAgeMs: 3 * 3_600_000, undeleteMs: 30 * 24 * 3_600_000 }]);
  });

  it('stops with the application, and that waits until what was begun is done', async () => {
    const { job, notes, gates } = house();
    const gate = Promise.withResolvers<void>();
    gates['collect by upkeep'] = gate.promise;
    job.onApplicationBootstrap();
    await jest.advanceTimersByTimeAsync(TEN_MINUTES);
    let stopped = false;
    const stopping = job.beforeApplicationShutdown().then(() => (stopped = true));
    await jest.advanceTimersByTimeAsync(TEN_MINUTES);
    expect(stopped).toBe(false);
    gate.resolve();
    await stopping;
    expect(notes).toEqual(ALL);
    await jest.advanceTimersByTimeAsync(10 * TEN_MINUTES);
    expect(notes).toEqual(ALL);
    expect(jest.getTimerCount()).toBe(0);
  });
});
