import { CHANGES, huntByKills, type Workload } from './kill';
import { describeTraced, Drivers } from './trace-driver';

const HUNT_MS = 120_000;

const WORKLOADS: readonly Workload[] = [
  { steps: ['publish:iris:small'] },
  { before: ['publish:iris:small:production'], steps: ['publish:iris:largex200000:production', 'promote:iris:1', 'checkpoint'] },
  { before: ['publish:iris:small', 'orphan:lost'], steps: ['collect', 'publish:iris:lost'] },
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
});

describeTraced('the hunt by kills', () => {
  it.each([
    ['event-before-blob', 20, { steps: ['publish:iris:small'] }],
    ['no-staging', 10, { steps: ['publish:iris:small'] }],
    ['unlink-before-event', 10, { before: ['publish:iris:small', 'orphan:lost'], steps: ['collect'] }],
  ] as const)(
    'catches the mutant %s within %d kills',
    async (mutant, bound, workload) => {
      const { kills, violations } = await huntByKills(drivers, { ...workload, mutant }, ['fsync', 'link', 'unlink']);
      expect(violations).not.toEqual([]);
      expect(kills).toBeLessThanOrEqual(bound);
    },
    HUNT_MS,
  );
});
