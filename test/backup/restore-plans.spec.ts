import { mkdtempSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import * as fc from 'fast-check';
import type { RestoreOptions, RestorePlan } from '../../src/backup/restore/restore-plan';
import { hasCode } from '../../src/errors/has-code';
import { modelDifference } from '../../src/models/registry/registry-difference';
import { modelFrom, type PlainModel } from '../../src/models/registry/registry-snapshot';
import { DurableFiles } from '../../src/storage/durable-files';
import { BackupHouse } from './backup-house';

/** 1,000 by `RESTORE_HISTORIES=1000`. */
const HISTORIES = Number(process.env['RESTORE_HISTORIES'] ?? 100);
const CHANGE = { actor: 'ada' };

const model = fc.constantFrom('a', 'b');
const version = fc.integer({ min: 1, max: 4 });

/** What may happen to a registry before it is restored. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('publish' as const), model, content: fc.integer({ min: 0, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('promote' as const), model, version }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('alias' as const), model, version, alias: fc.constantFrom('x', 'y') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('delete' as const, 'undelete' as const), model, version }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('deleteAll' as const, 'undeleteAll' as const, 'describe' as const), model }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('collect' as const, 'take' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restore' as const), at: fc.nat(3) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

const options: fc.Arbitrary<RestoreOptions> = fc.oneof(
  fc.constant({}),
  fc.record({ model, conflicts: fc.constantFrom('fail' as const, 'skip' as const, 'new-version' as const) }),
  fc.record({ model, version, conflicts: fc.constantFrom('fail' as const, 'skip' as const, 'new-version' as const) }),
);

/** What the state of a registry forbids, and a selection that finds nothing. */
const REFUSED = [
  ...['VERSION_NOT_FOUND', 'MODEL_NOT_FOUND', 'NOT_DELETED', 'BYTES_COLLECTED', 'VERSION_IN_USE', 'MODEL_IN_USE'],
  ...['NOT_IN_SNAPSHOT', 'RESTORE_CONFLICT'],
];

describe('a restore', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'restore-plans-'));

  beforeAll(() => {
    Logger.overrideLogger(false);
    jest.spyOn(DurableFiles.prototype, 'flush').mockResolvedValue();
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    await rm(scratch, { recursive: true, force: true });
  });

  const take = async (house: BackupHouse, taken: string[], what: Step): Promise<unknown> => {
    const { stages, description, deletion, collector } = house.registry;
    switch (what.do) {
      case 'publish':
        return house.publish(what.model, `content ${what.content}`);
      case 'promote':
        return stages.move(what.model, what.version, 'production', CHANGE);
      case 'alias':
        return description.setAlias(what.model, what.alias, what.version, CHANGE);
      case 'describe':
        return description.describe(what.model, { description: `after ${taken.length}`, tags: [] }, CHANGE);
      case 'delete':
        return deletion.deleteVersion(what.model, what.version, CHANGE);
      case 'undelete':
        return deletion.undeleteVersion(what.model, what.version, CHANGE);
      case 'deleteAll':
        return deletion.deleteModel(what.model, CHANGE);
      case 'undeleteAll':
        return deletion.undeleteModel(what.model, CHANGE);
      case 'collect':
        return collector.collect('ada', { minAgeMs: -1, undeleteMs: -1 });
      case 'take':
        return taken.push((await house.take()).id);
      case 'restore':
        return house.restore(taken[what.at % taken.length] as string, { safety: false });
    }
  };

  /** @returns undefined where it is refused for a reason that is none of the plan's */
  const tried = async <T>(work: Promise<T>): Promise<T | undefined> =>
    work.catch((error: unknown) => {
      if (!hasCode(error, ...REFUSED)) throw error;
      return undefined;
    });

  /** How every model differs, before and after. */
  const differences = (before: readonly PlainModel[], after: readonly PlainModel[]): RestorePlan['models'] =>
    [...after]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((plain) => {
        const was = before.find(({ name }) => name === plain.name);
        return modelDifference(was && modelFrom(was), modelFrom(plain)) ?? [];
      });

  /** Does it, and holds what changed against what was planned. */
  const carriedOut = async (house: BackupHouse, id: string, wanted: RestoreOptions, plan: RestorePlan): Promise<1> => {
    const { state } = house.registry;
    const was = structuredClone(state.snapshot().models);
    const { event, safety: _safety, ...done } = await house.restore(id, { ...wanted, seq: plan.seq });
    expect(done).toEqual(plan);
    expect(event).toBe(plan.seq + 1);
    expect(differences(was, state.snapshot().models)).toEqual(plan.models);
    await expect(house.restore(id, { ...wanted, seq: plan.seq })).rejects.toMatchObject({ code: 'RESTORE_PLAN_OUTDATED' });
    expect(state.position.seq).toBe(event);
    return 1;
  };

  it(`does exactly what its plan says, or is refused where the registry moved, in ${HISTORIES} random histories`, async () => {
    let restored = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 3, maxLength: 12 }),
        fc.array(step, { maxLength: 8 }),
        options,
        fc.nat(3),
        async (before, since, wanted, at) => {
          const house = await BackupHouse.on(await mkdtemp(join(scratch, 'house-')));
          await house.publish('a', 'content 0');
          const taken = [(await house.take()).id];
          for (const each of [...before, { do: 'take' as const }, ...since]) await tried(take(house, taken, each));
          const id = taken[at % taken.length] as string;
          const { state } = house.registry;
          const was = structuredClone(state.snapshot().models);
          const plan = await tried(house.plan(id, wanted));
          expect(state.snapshot().models).toEqual(was);
          if (plan !== undefined) restored += await carriedOut(house, id, wanted, plan);
          await house.remove();
        },
      ),
      { numRuns: HISTORIES },
    );
    expect(restored).toBeGreaterThan(HISTORIES / 3);
  }, 1_800_000);
});
