import { mkdtempSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Logger } from '@nestjs/common';
import * as fc from 'fast-check';
import { DurableFiles } from '../../src/storage/durable-files';
import { BackupPlace } from './backup-place';

const HOUR_MS = 3_600_000;
const START = Date.UTC(2026, 10, 1, 3);
/** 1,000 by `PRUNE_HISTORIES=1000`. */
const HISTORIES = Number(process.env['PRUNE_HISTORIES'] ?? 60);

/** What may happen to backups between two prunes. */
type Step = readonly ['pass', number] | readonly ['snapshot' | 'unverified' | 'left' | 'delete' | 'undelete' | 'prune', number];

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constant('pass' as const), fc.integer({ min: 1, max: 40 })) },
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom('snapshot', 'prune'), fc.nat(5)) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('unverified', 'left', 'delete', 'undelete'), fc.nat(5)) },
);

describe('a prune', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'prune-plans-'));

  beforeAll(() => {
    Logger.overrideLogger(false);
    jest.spyOn(DurableFiles.prototype, 'flush').mockResolvedValue();
    jest.useFakeTimers({
      now: START,
      doNotFake: ['nextTick', 'setImmediate', 'setTimeout', 'setInterval', 'queueMicrotask', 'performance'],
    });
  });
  afterAll(async () => {
    jest.useRealTimers();
    jest.restoreAllMocks();
    await rm(scratch, { recursive: true, force: true });
  });

  /** Plans, does it, and holds what changed against what was planned. */
  const prune = async (place: BackupPlace): Promise<void> => {
    const ids = async (): Promise<readonly string[]> =>
      (await place.inventory.list()).filter(({ deleted }) => deleted === undefined).map(({ id }) => id);
    const [idsBefore, storedBefore] = [await ids(), await place.stored()];
    const plan = await place.pruner.plan();
    const { remove, condemn, bytes } = plan.collect;
    const report = await place.pruner.apply(plan, 'ada');
    expect(report).toEqual({ deleted: plan.delete, removed: remove, condemned: condemn, bytes });
    expect(await ids()).toEqual(idsBefore.filter((id) => !plan.delete.includes(id)));
    expect(await place.stored()).toEqual(storedBefore.filter((name) => !remove.includes(name)));
  };

  const take = async (place: BackupPlace, [what, at]: Step): Promise<unknown> => {
    const records = [...(await place.repository.history()).snapshots.values()];
    const { id = '' } = records[at % Math.max(1, records.length)] ?? {};
    const refused = (error: { code?: string }): void =>
      expect(error.code).toMatch(/^(NEWEST_VERIFIED|SNAPSHOT_(NOT_FOUND|NOT_DELETED|COLLECTED))$/);
    switch (what) {
      case 'pass':
        return jest.setSystemTime(Date.now() + at * HOUR_MS);
      case 'snapshot':
        return place.backup(`content ${'x'.repeat(at)}`);
      case 'unverified':
        return place.taker.take({ trigger: 'manual', actor: 'ada', correlationId: 'c' });
      case 'left': {
        const staged = await place.blobs.stage(Readable.from([Buffer.from(`left ${at}`)]), 100);
        await place.blobs.put(staged, (await place.repository.history()).blobName(staged.digest));
        return staged.discard();
      }
      case 'delete':
        return place.pruner.delete(id, 'ada', 'random').catch(refused);
      case 'undelete':
        return place.pruner.undelete(id, 'ada').catch(refused);
      case 'prune':
        return prune(place);
    }
  };

  it(`does exactly what its plan says, and loses nothing that is needed, in ${HISTORIES} random histories`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 10 }), fc.integer({ min: 0, max: 2 }), async (steps, keepDaily) => {
        const root = await mkdtemp(join(scratch, 'place-'));
        jest.setSystemTime(START);
        const place = await BackupPlace.on(root, { keepDaily, keepLast: 1 });
        for (const each of steps) await take(place, each);
        await prune(place);
        expect(await place.faults()).toEqual([]);
        await rm(root, { recursive: true });
      }),
      { numRuns: HISTORIES },
    );
  }, 600_000);
});
