import { mkdtempSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import type { ObjectCollector } from '../../src/backup/retention/object-collector';
import { Pruner } from '../../src/backup/retention/pruner';
import { DurableFiles } from '../../src/storage/durable-files';
import { BackupPlace } from './backup-place';

/** 500 by `PRUNE_ROUNDS=500`. */
const ROUNDS = Number(process.env['PRUNE_ROUNDS'] ?? 60);
/** Then in fresh folders: every step reads a whole log. */
const AT_ONCE = 10;
const KEEP = { keepLast: 1, keepDaily: 0 };

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
    const pruners = [await BackupPlace.on(root, KEEP), await BackupPlace.on(root, KEEP)].map(
      (place) => new Pruner(place.config, place.repository, collectorOf(place)),
    );
    const pruneOften = async (pruner: Pruner): Promise<void> => {
      // one that finds no quiet moment leaves it to the next
      for (let time = 0; time < 2; time++)
        await pruner.prune('ada', 0).catch((error: { code?: string }) => expect(error.code).toBe('PLAN_OUTDATED'));
    };
    const faults: unknown[] = [];
    for (let round = 0; round < count && faults.length === 0; round++) {
      const saver = savers[round % 2]!;
      await Promise.all([saver.backup(), ...pruners.map((pruner) => pruneOften(pruner))]);
      faults.push(...(await saver.repository.list()).filter(({ damaged }) => damaged !== undefined));
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
});
