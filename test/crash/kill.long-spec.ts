import { ALL_CHANGES, huntByKills, type Workload } from './kill';
import { describeTraced, Drivers } from './trace-driver';

const HUNT_MS = 3_600_000;
const MIN_KILLS = 500;
const MIN_KILLS_AGAIN = 50;

const WORKLOADS: readonly Workload[] = [
  { steps: ['publish:iris:small', 'publish:iris:small', 'publish:mnist:small:production'] },
  { steps: ['publish:iris:largex100000:production', 'publish:iris:second:production', 'promote:iris:1', 'promote:iris:2'] },
  {
    before: ['publish:iris:small'],
    steps: ['orphan:lost', 'collect', 'publish:iris:lost:production', 'orphan:again', 'collect', 'collect'],
  },
  { before: ['orphan:lost', 'collect'], steps: ['orphan:lost', 'publish:iris:lost', 'collect', 'publish:mnist:lost'] },
  { before: ['publish:iris:a', 'publish:iris:b', 'checkpoint'], steps: ['promote:iris:1', 'checkpoint', 'promote:iris:2', 'checkpoint'] },
  { before: ['checkpoint'], steps: ['publish:iris:a', 'checkpoint', 'publish:iris:b:production', 'checkpoint', 'collect', 'checkpoint'] },
  {
    steps: [
      'publish:iris:a:production',
      'publish:mnist:a',
      'publish:wine:b:production',
      'publish:iris:c:production',
      'checkpoint',
      'checkpoint',
    ],
  },
  // each change has a key: whoever repeats it after a kill does it once
  {
    before: ['publish:iris:a:production', 'publish:iris:b:production', 'publish:iris:c:production', 'publish:mnist:a'],
    steps: [
      ...['rollback:iris@1', 'alias:iris:best:1@2', 'rollback:iris@3', 'alias:iris:best:2@4', 'delete:iris:3@5', 'checkpoint'],
      ...['unalias:iris:best@6', 'undelete:iris:3@7', 'archive:iris:1@8', 'delete:mnist@9', 'checkpoint', 'undelete:mnist@10', 'collect'],
    ],
  },
  {
    before: ['publish:iris:a', 'publish:iris:b', 'publish:iris:c', 'delete:iris:1', 'delete:iris', 'condemn'],
    steps: ['undelete:iris@1', 'undelete:iris:1@2', 'delete:iris:2@3', 'purge', 'publish:mnist:b', 'undelete:iris:2@4'],
  },
  { before: ['publish:iris:a', 'delete:iris'], steps: ['condemn', 'undelete:iris@1', 'purge', 'checkpoint', 'delete:iris:1@2', 'purge'] },
  { before: ['publish:iris:a'], steps: ['orphan:b', 'orphan:c', 'collect', 'publish:iris:b:production', 'publish:iris:c:production'] },
];

let drivers: Drivers;
beforeAll(() => void (drivers = new Drivers()));
afterAll(() => drivers.remove());

describeTraced('a registry whose process is killed before every system call in turn', () => {
  it(
    `keeps what it acknowledged, lists nothing by halves and starts again by itself, at ${MIN_KILLS} kills or more`,
    async () => {
      let kills = 0;
      for (const workload of WORKLOADS) {
        const hunt = await huntByKills(drivers, workload, ALL_CHANGES);
        expect(hunt.violations).toEqual([]);
        kills += hunt.kills;
      }
      expect(kills).toBeGreaterThanOrEqual(MIN_KILLS);
    },
    HUNT_MS,
  );

  it(
    'does so too where the starts after the kill are killed in their turn',
    async () => {
      const workload = { before: ['publish:iris:small', 'orphan:lost'], steps: ['collect', 'publish:iris:lost:production', 'checkpoint'] };
      const hunt = await huntByKills(drivers, { ...workload, killAgainBefore: [1, 3, 6, 9] }, ['fsync', 'link']);
      expect(hunt.violations).toEqual([]);
      expect(hunt.kills).toBeGreaterThan(MIN_KILLS_AGAIN);
    },
    HUNT_MS,
  );
});
