import { mkdtempSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { EmptyPlace } from '../../src/backup/restore/empty-place';
import type { RestoreSource } from '../../src/backup/restore/restore-source';
import { fsck } from '../../src/models/upkeep/fsck';
import { DurableFiles } from '../../src/storage/durable-files';
import { Chance } from '../crash/power-cut-random';
import { until } from '../process/processes';
import { BackupPlace } from './backup-place';

/** How much is tried. */
export interface Rounds {
  /** Of writers, collectors, backups, prunes and restores, all at once. */
  readonly mixed: number;
  /** Slow restores beside prunes, and how long each object takes. */
  readonly slow: number;
  readonly objectMs: number;
}

/** Then in fresh folders: every step reads a whole log. */
const AT_ONCE = 10;
const KEEP = { keepLast: 1, keepDaily: 0 };
const NAMES = ['a', 'b', 'c'];
const CHANGE = { actor: 'ada' };
const ROUND_MS = 3_600_000;

/** What others did meanwhile. */
const OVERTAKEN = {
  write: /^(NOT_DELETED|BYTES_COLLECTED|VERSION_NOT_FOUND|MODEL_NOT_FOUND|VERSION_IN_USE)$/,
  backup: /^(SNAPSHOT_FAILED)$/,
  prune: /^(PLAN_OUTDATED|COLLECTION_REFUSED)$/,
  restore: /^(SNAPSHOT_NOT_FOUND|RESTORE_OVERTAKEN)$/,
} as const;

export function describeRestoresBeside({ mixed, slow, objectMs }: Rounds): void {
  const { seed } = Chance;

  describe(`restores beside writers, collections, backups and prunes (CRASH_SEED=${seed})`, () => {
    const scratch = mkdtempSync(join(tmpdir(), 'restore-beside-'));
    const chance = new Chance(seed);

    beforeAll(() => {
      Logger.overrideLogger(false);
      jest.spyOn(DurableFiles.prototype, 'flush').mockResolvedValue();
    });
    afterAll(async () => {
      jest.restoreAllMocks();
      await rm(scratch, { recursive: true, force: true });
    });

    /** Does it, and counts; what fails because of what others did is counted by its code. */
    const tried = async (what: keyof typeof OVERTAKEN, counts: Map<string, number>, work: () => Promise<unknown>): Promise<void> => {
      const code = await work().then(
        () => 'done',
        (error: { readonly code?: string }) => {
          if (error.code === undefined || !OVERTAKEN[what].test(error.code)) throw error;
          return error.code;
        },
      );
      counts.set(`${what} ${code}`, (counts.get(`${what} ${code}`) ?? 0) + 1);
    };

    const write = async ({ house }: BackupPlace, counts: Map<string, number>): Promise<void> => {
      for (let step = 0; step < 3; step++) {
        const model = chance.oneOf(NAMES);
        const version = chance.whole(1, 4);
        const works = [
          () => house.publish(model, `content ${chance.whole(0, 5)}`),
          () => house.publish(model, `content ${chance.whole(0, 5)}`),
          () => house.deletion.deleteVersion(model, version, CHANGE),
          () => house.deletion.undeleteVersion(model, version, CHANGE),
          () => house.deletion.deleteModel(model, CHANGE),
          () => house.deletion.undeleteModel(model, CHANGE),
        ];
        await tried('write', counts, chance.oneOf<() => Promise<unknown>>(works));
      }
    };

    const prune = async (place: BackupPlace, counts: Map<string, number>): Promise<void> => {
      for (let time = 0; time < 2; time++) await tried('prune', counts, () => place.pruner.prune('ada', { minAgeMs: 0 }));
    };

    /** A snapshot by chance, also one that was deleted: into the registry, and into a place of its own. */
    const restore = async (place: BackupPlace, counts: Map<string, number>): Promise<void> => {
      const known = [...(await place.repository.history()).snapshots.values()];
      const there = known.filter(({ deleted }) => deleted === undefined);
      const { id } = chance.oneOf(chance.oneOf([there, there, there, known]));
      const elsewhere = await mkdtemp(join(scratch, 'elsewhere-'));
      const from = async (work: (source: RestoreSource) => Promise<unknown>): Promise<void> => {
        const source = await place.sources.open(id, 'ada');
        try {
          await work(source);
        } finally {
          await source.close();
        }
      };
      await tried('restore', counts, () => from((source) => new EmptyPlace(elsewhere).restore(source, 'ada')));
      expect(await findings(elsewhere)).toEqual([]);
      await rm(elsewhere, { recursive: true });
      await tried('restore', counts, () => from((source) => place.restorer.restore(source, 'ada', {})));
    };

    const findings = async (folder: string): Promise<readonly unknown[]> => {
      const found: unknown[] = [];
      for await (const finding of fsck(folder, false)) if (finding.severity !== 'note') found.push(finding);
      return found;
    };

    it(
      `lose nothing, and succeed or find their snapshot deleted, in ${mixed} rounds`,
      async () => {
        const counts = new Map<string, number>();
        for (let done = 0; done < mixed; done += AT_ONCE) {
          const root = await mkdtemp(join(scratch, 'place-'));
          const places = await Promise.all(Array.from({ length: 5 }, () => BackupPlace.on(root, KEEP)));
          const [writer, collector, saver, pruner, restorer] = places as [BackupPlace, BackupPlace, BackupPlace, BackupPlace, BackupPlace];
          for (const name of NAMES) await writer.house.publish(name, `content of ${name}`);
          await saver.backup();
          for (let round = 0; round < AT_ONCE; round++) {
            await Promise.all([
              write(writer, counts),
              collector.house.collector.collect('ada', { minAgeMs: -1, undeleteMs: -1 }),
              tried('backup', counts, () => saver.backup()),
              prune(pruner, counts),
              restore(restorer, counts),
            ]);
            expect(await findings(join(root, 'models'))).toEqual([]);
            expect((await saver.inventory.list()).filter(({ damaged }) => damaged !== undefined)).toEqual([]);
          }
          expect(await saver.faults()).toEqual([]);
          await rm(root, { recursive: true });
        }
        expect(counts.get('restore done')).toBeGreaterThan(mixed / 2);
        expect(counts.get('backup done')).toBeGreaterThan(mixed / 2);
      },
      ROUND_MS,
    );

    /**
     * An old snapshot whose bytes the registry has no more, restored slowly while it is pruned again and again.
     * @param opened how the restore reads it @returns how it ended
     */
    const slowly = async (opened: (place: BackupPlace, id: string) => Promise<RestoreSource>): Promise<unknown> => {
      const root = await mkdtemp(join(scratch, 'slow-'));
      const [one, other] = [await BackupPlace.on(root, KEEP), await BackupPlace.on(root, KEEP)];
      for (const name of NAMES) await one.house.publish(name, `${name} of yesterday`);
      const { id } = await one.backup();
      for (const name of NAMES) await one.house.deletion.deleteModel(name, CHANGE);
      await one.house.publish('d', 'of today');
      await one.house.collector.collect('ada', { minAgeMs: -1, undeleteMs: -1 });
      await one.backup();
      const source = await opened(one, id);
      let prunes = 0;
      const read: RestoreSource['read'] = async function* (object) {
        const before = prunes;
        await sleep(objectMs);
        await until('two prunes have passed', () => prunes > before + 1);
        yield* source.read(object);
      };
      let ended = false;
      const restoring = one.restorer
        .restore({ ...source, read }, 'ada', {})
        .then(
          () => 'restored',
          (error: { readonly code?: string }) => error.code,
        )
        .finally(() => (ended = true));
      for (; !ended; prunes++) await other.pruner.prune('ada', { minAgeMs: 0 }).catch((error: { code?: string }) => expect(error.code).toMatch(OVERTAKEN.prune)); // prettier-ignore
      const outcome = await restoring;
      await source.close();
      expect(prunes).toBeGreaterThan(2);
      expect(await findings(join(root, 'models'))).toEqual([]);
      await rm(root, { recursive: true });
      return outcome;
    };

    it(
      `are finished though they are slow, and prunes keep one snapshot only: ${slow} times`,
      async () => {
        for (let time = 0; time < slow; time++) expect(await slowly((place, id) => place.sources.open(id, 'ada'))).toBe('restored');
      },
      ROUND_MS,
    );

    it(
      'would lose what they read, were it not held for them',
      async () => {
        const unpinned = async ({ manifests, objects }: BackupPlace, id: string): Promise<RestoreSource> => ({
          manifest: await manifests.of(id),
          signature: 'unsigned',
          read: (object) => objects.read(object),
          close: async () => {},
        });
        expect(await slowly(unpinned)).toMatch(/^(RESTORE|SNAPSHOT)_DAMAGED$/);
      },
      ROUND_MS,
    );
  });
}
