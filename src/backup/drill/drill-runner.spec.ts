import { Logger } from '@nestjs/common';
import { DrillHouse } from '../../../test/backup/drill-house';
import { endOwnHosts } from '../../../test/process/processes';
import type { DrillRunOutcome } from './drill-figures';
import type { DrillJournal } from './drill-journal';
import { DrillRunner } from './drill-runner';

describe(DrillRunner, () => {
  let house: DrillHouse;
  let runner: DrillRunner;
  let told: DrillRunOutcome[];
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
  const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
  jest.spyOn(Logger.prototype, 'log').mockImplementation(() => {});

  beforeEach(async () => {
    house = await DrillHouse.fresh();
    told = [];
    warn.mockClear();
    error.mockClear();
    runner = new DrillRunner(house.driller, { record: async (outcome) => void told.push(outcome) } as DrillJournal);
  });
  afterEach(() => house.close());
  afterAll(endOwnHosts);

  it('tells of a run that was good, and of one that was not, and says which snapshot', async () => {
    await house.fill(21);
    const { id } = await house.backup.take();
    await runner.run();
    const { objects } = await house.backup.manifests.of(id);
    for (const { stored } of objects) await house.backup.blobs.remove(stored);
    await runner.run();
    const failures = [{ id, phase: 'restoring', reason: 'missing' }];
    expect(told).toEqual([
      { outcome: 'completed', failures: [] },
      { outcome: 'failed', failures },
    ]);
    expect(error).toHaveBeenCalledWith('drill failed', expect.objectContaining({ id, ok: false }));
  });

  it('has nothing to do where there is no snapshot, and says so', async () => {
    await runner.run();
    expect(told).toEqual([{ outcome: 'skipped', failures: [{ phase: 'waiting', reason: 'no-snapshot' }] }]);
    expect(warn).toHaveBeenCalledWith('drill skipped', { reason: 'no-snapshot' });
  });

  it('ends what runs where the service stops, and tells whoever waits for it', async () => {
    await house.fill(21);
    await house.backup.take();
    const asked = runner.drill({ actor: 'ada' });
    const scheduled = runner.run();
    await runner.beforeApplicationShutdown();
    await expect(asked).rejects.toMatchObject({ code: 'DRILL_STOPPED', kind: 'unavailable' });
    await scheduled;
    expect(told).toEqual([{ outcome: 'skipped', failures: [{ phase: 'waiting', reason: 'stopping' }] }]);
    await expect(runner.drill({ actor: 'ada' })).rejects.toMatchObject({ code: 'DRILL_STOPPED' });
  });
});
