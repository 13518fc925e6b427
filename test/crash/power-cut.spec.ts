import { linear } from '../onnx/models';
import { Servers } from '../process/server-process';
import { cutOften, cutRecoveries, cutWriters } from './power-cut';
import { type Cut, Disks } from './power-cut-disk';
import { Chance } from './power-cut-random';
import { describeOn } from './power-cut-volumes';

const { seed } = Chance;
const [describeHere, note] = describeOn('ext4');

const broken = (cuts: readonly Cut[]): readonly Cut[] => cuts.filter(({ violations }) => violations.length > 0);

describeHere(`after a power cut (seed ${seed})${note}`, () => {
  const disks = new Disks();
  const servers = new Servers();
  const chance = new Chance(seed);
  afterEach(async () => {
    await servers.remove();
    await disks.remove();
  });

  it('whatever four writers were told is there, and nothing is there by half: 30 cuts', async () => {
    const cuts = await cutOften(disks, chance, 6, 'ordered', 'writeback');
    expect(cuts).toHaveLength(30);
    expect(broken(cuts)).toEqual([]);
  }, 90_000);

  it('the same holds on a file system without a journal, where one flush takes nothing along that was done before it: 10 cuts', async () => {
    const cuts = await cutOften(disks, chance, 2, 'none');
    expect(cuts.length).toBeGreaterThanOrEqual(6); // in some 4 of 100 e2fsck gives names away
    expect(broken(cuts)).toEqual([]);
  }, 60_000);

  it('and another soon after the first recovery, and another soon after the second, the same holds, and work goes on: 2 times', async () => {
    for (let time = 0; time < 2; time++) {
      const cuts = await cutRecoveries(disks, chance);
      expect(cuts.map(({ when }) => when)).toEqual(['cut 1 in a row', 'cut 2 in a row', 'cut 3 in a row', 'at work again']);
      expect(broken(cuts)).toEqual([]);
    }
  }, 60_000);

  it.each(['no-folder-fsync', 'no-file-fsync'])(
    'one of 3 cuts finds the fault of a registry with %s',
    async (mutant) => {
      expect(broken(await cutWriters(disks, chance, 3, { mutant }))).not.toEqual([]);
    },
    30_000,
  );

  it('right after its answers, the real server starts again by itself and serves every model that it had answered 201', async () => {
    const disk = await disks.format({});
    const before = await servers.start({ MODELS_DIR: disk.root, EXAMPLES: 'off' });
    for (const factor of [2, 3, 4]) await before.serve(`times-${factor}`, linear([[factor]]));
    const image = await disk.cut('right after the last answer');
    await before.kill();
    await disk.remove();

    const after = await servers.start({ MODELS_DIR: (await disks.mount(image)).root, EXAMPLES: 'off' });
    expect((await after.get('/health/ready')).status).toBe(200);
    for (const factor of [2, 3, 4]) {
      const { body } = await after.predict(`times-${factor}`, { instances: [[7]] });
      expect(body.predictions).toEqual([expect.objectContaining({ prediction: 7 * factor })]);
    }
  }, 60_000);
});
