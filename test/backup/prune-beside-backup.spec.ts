import { mkdtempSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { ObjectCollector, type CollectionPlan } from '../../src/backup/retention/object-collector';
import type { Pruner } from '../../src/backup/retention/pruner';
import { DurableFiles } from '../../src/storage/durable-files';
import { BackupPlace } from './backup-place';

/** 500 by `PRUNE_ROUNDS=500`. */
const ROUNDS = Number(process.env['PRUNE_ROUNDS'] ?? 60);
/** Then in fresh folders: every step reads a whole log. */
const AT_ONCE = 10;
const KEEP = { keepLast: 1, keepDaily: 0 };

/** A mutant: takes objects away without the event that gives them another name. */
class SilentCollector extends ObjectCollector {
  override collect(plan: CollectionPlan, minAgeMs: number, at: Date, actor: string): Promise<void> {
    return super.collect({ ...plan, condemn: [] }, minAgeMs, at, actor);
  }
}

describe('a prune beside backups, without any time between its two looks', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'prune-beside-'));

  beforeAll(() => {
    Logger.overrideLogger(false);
    jest.spyOn(DurableFiles.prototype, 'flush').mockResolvedValue();
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    await rm(scratch, { recursive: true, force: true });
  });

  /**
   * Two registries are saved in turn into one folder, and only one snapshot is kept: what the one needs is needed by nobody as soon as
   * the other is saved, and a moment later it is needed again.
   * @returns what any snapshot lacked after a round, and how many names were given anew
   */
  const rounds = async (count: number, collectorOf: (place: BackupPlace) => ObjectCollector) => {
    const root = await mkdtemp(join(scratch, 'place-'));
    const savers = [await BackupPlace.on(root, KEEP), await BackupPlace.on(root, KEEP, undefined, 'others')];
    for (const [at, { house }] of savers.entries()) for (const name of ['a', 'b', 'c']) await house.publish(name, `${at} ${name}`);
    const pruners = [await BackupPlace.on(root, KEEP), await BackupPlace.on(root, KEEP)].map((place) =>
      place.prunerWith(collectorOf(place)),
    );
    const pruneOften = async (pruner: Pruner): Promise<void> => {
      // one that finds no quiet moment leaves it to the next
      for (let time = 0; time < 2; time++)
        await pruner.prune('ada', { minAgeMs: 0 }).catch((error: { code?: string }) => expect(error.code).toBe('PLAN_OUTDATED'));
    };
    const faults: unknown[] = [];
    for (let round = 0; round < count && faults.length === 0; round++) {
      const saver = savers[round % 2]!;
      await Promise.all([saver.backup(), ...pruners.map((pruner) => pruneOften(pruner))]);
      faults.push(...(await saver.inventory.list()).filter(({ damaged }) => damaged !== undefined));
    }
    faults.push(...(await savers[0]!.faults()));
    const stored = await savers[0]!.stored();
    const condemned = await savers[0]!.events('blobs.condemned');
    await rm(root, { recursive: true });
    return { faults, renamed: stored.filter((name) => name.length > 64).length, condemned: condemned.length };
  };

  it(`takes nothing away that a snapshot needs, in ${ROUNDS} rounds of two backups and two collectors`, async () => {
    const seen = { renamed: 0, condemned: 0 };
    for (let done = 0; done < ROUNDS; done += AT_ONCE) {
      const { faults, renamed, condemned } = await rounds(AT_ONCE, ({ collector }) => collector);
      expect(faults).toEqual([]);
      seen.renamed += renamed;
      seen.condemned += condemned;
    }
    expect(seen.renamed).toBeGreaterThan(0);
    expect(seen.condemned).toBeGreaterThan(ROUNDS / 4);
  }, 3_600_000);

  /**
   * A snapshot found its objects there, as an older one has them; before its own event that one is pruned and they are collected.
   * @returns what any snapshot lacks then
   */
  const collectedBeforeItsEvent = async (collectorOf: (place: BackupPlace) => ObjectCollector): Promise<readonly unknown[]> => {
    const root = await mkdtemp(join(scratch, 'place-'));
    const [one, other] = [await BackupPlace.on(root, KEEP), await BackupPlace.on(root, KEEP, undefined, 'others')];
    for (const [at, { house }] of [one, other].entries()) for (const name of ['a', 'b']) await house.publish(name, `${at} ${name}`);
    await one.backup();
    await other.backup();
    const place = await BackupPlace.on(root, KEEP);
    const pruner = place.prunerWith(collectorOf(place));
    const commit = one.repository.commit.bind(one.repository);
    jest.spyOn(one.repository, 'commit').mockImplementationOnce(async (decide) => {
      for (let time = 0; time < 3; time++) await pruner.prune('ada', { minAgeMs: 0 });
      return commit(decide);
    });
    await one.backup().catch(() => {}); // the mutant's lacks something, which its verification finds
    return (await one.inventory.list()).filter(({ damaged }) => damaged !== undefined);
  };

  it('takes nothing away that a snapshot needs which is about to be complete, and would without its event', async () => {
    expect(await collectedBeforeItsEvent(({ collector }) => collector)).toEqual([]);
    const mutant = await collectedBeforeItsEvent(
      ({ repository, manifests, unreferenced }) => new SilentCollector(repository, manifests, unreferenced),
    );
    expect(mutant).not.toEqual([]);
  });
});
