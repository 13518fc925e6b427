import { CHANGES, huntByKills, type Workload } from './kill';
import { describeTraced, Drivers } from './trace-driver';

const HUNT_MS = 120_000;

const WORKLOADS: readonly Workload[] = [
  { steps: ['publish:iris:small'] },
  { before: ['publish:iris:small:production'], steps: ['publish:iris:largex200000:production', 'promote:iris:1', 'checkpoint'] },
  { before: ['publish:iris:small', 'orphan:lost'], steps: ['collect', 'publish:iris:lost'] },
];

const PUBLISHED = ['publish:iris:a:production', 'publish:iris:b:production', 'publish:iris:c'];
const CONDEMNED = ['publish:iris:a', 'publish:iris:b', 'delete:iris', 'condemn'];

/** Each change has a key: whoever repeats it after a kill does it once. */
const CHANGES_OF_VERSIONS: readonly Workload[] = [
  {
    before: PUBLISHED,
    steps: ['rollback:iris@1', 'alias:iris:best:2@2', 'unalias:iris:best@3', 'delete:iris:3@4', 'undelete:iris:3@5', 'archive:iris:1@6'],
  },
  { before: CONDEMNED, steps: ['undelete:iris@1', 'delete:iris:1@2', 'purge', 'publish:mnist:a', 'undelete:iris:1@3'] },
];

let drivers: Drivers;
beforeAll(() => void (drivers = new Drivers()));
afterAll(() => drivers.remove());

describeTraced('a registry whose process is killed', () => {
  it(
    'keeps what it acknowledged, lists nothing by halves and starts again by itself, at 60 kills or more',
    async () => {
      let kills = 0;
      for (const workload of WORKLOADS) {
        const hunt = await huntByKills(drivers, workload, CHANGES);
        expect(hunt.violations).toEqual([]);
        kills += hunt.kills;
      }
      expect(kills).toBeGreaterThanOrEqual(60);
    },
    HUNT_MS,
  );

  it(
    'does so too while it rolls back, points aliases, archives, deletes, purges and undeletes, at 30 kills or more, and repeats nothing',
    async () => {
      let kills = 0;
      for (const workload of CHANGES_OF_VERSIONS) {
        const hunt = await huntByKills(drivers, workload, ['link', 'unlink']);
        expect(hunt.violations).toEqual([]);
        kills += hunt.kills;
      }
      expect(kills).toBeGreaterThanOrEqual(30);
    },
    HUNT_MS,
  );
});

describeTraced('the hunt by kills', () => {
  it.each([
    ['event-before-blob', 20, { steps: ['publish:iris:small'] }],
    ['no-staging', 10, { steps: ['publish:iris:small'] }],
    ['unlink-before-event', 10, { before: ['publish:iris:small', 'orphan:lost'], steps: ['collect'] }],
    ['event-before-blob', 20, { before: CONDEMNED, steps: ['undelete:iris'] }],
    ['key-forgotten', 10, { before: PUBLISHED, steps: ['rollback:iris@1', 'alias:iris:best:1'] }],
  ] as const)(
    'catches the mutant %s within %d kills: %j',
    async (mutant, bound, workload) => {
      const { kills, violations } = await huntByKills(drivers, { ...workload, mutant }, ['fsync', 'link', 'unlink']);
      expect(violations).not.toEqual([]);
      expect(kills).toBeLessThanOrEqual(bound);
    },
    HUNT_MS,
  );
});
