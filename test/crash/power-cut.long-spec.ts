import { cutOften, cutRecoveries, cutWriters } from './power-cut';
import { type Cut, Disks } from './power-cut-disk';
import { Chance } from './power-cut-random';
import { describeOn } from './power-cut-volumes';

const { seed } = Chance;
const [describeHere, note] = describeOn('ext4');

const broken = (cuts: readonly Cut[]): readonly Cut[] => cuts.filter(({ violations }) => violations.length > 0);

describeHere(`after a power cut (seed ${seed})${note}`, () => {
  const disks = new Disks();
  const chance = new Chance(seed);
  afterEach(() => disks.remove());

  it('whatever four writers were told is there, and nothing is there by half: 100 cuts', async () => {
    const cuts = await cutOften(disks, chance, 20, 'ordered', 'writeback');
    expect(cuts).toHaveLength(100);
    expect(broken(cuts)).toEqual([]);
  }, 300_000);

  it('the same holds on a file system without a journal: 100 cuts', async () => {
    const cuts = await cutOften(disks, chance, 20, 'none');
    expect(cuts.length).toBeGreaterThanOrEqual(85); // in some 4 of 100 e2fsck gives names away
    expect(broken(cuts)).toEqual([]);
  }, 300_000);

  it('and others soon after the first recovery and soon after the second, the same holds: 20 times', async () => {
    for (let time = 0; time < 20; time++) expect(broken(await cutRecoveries(disks, chance))).toEqual([]);
  }, 300_000);

  it.each(['no-folder-fsync', 'no-file-fsync'])(
    'the cut right after the last acknowledgement finds the fault of a registry with %s, 10 times of 10',
    async (mutant) => {
      for (let time = 0; time < 10; time++) {
        const journal = time % 2 === 0 ? 'ordered' : 'writeback';
        expect((await cutWriters(disks, chance, 2, { mutant, journal })).at(-1)?.violations).not.toEqual([]);
      }
    },
    120_000,
  );
});
