import { LONG } from './backup-hunt';
import { cutBackups, cutRestores } from './backup-power-cut';
import { type Cut, Disks } from './power-cut-disk';
import { Chance } from './power-cut-random';
import { describeOn } from './power-cut-volumes';

const CUTS_A_ROUND = 5;
const ROUNDS = LONG ? 22 : 2;
const CUT_MS = LONG ? 1_200_000 : 90_000;

const { seed } = Chance;
const [describeHere, note] = describeOn('ext4');

const broken = (cuts: readonly Cut[]): readonly Cut[] => cuts.filter(({ violations }) => violations.length > 0);

describeHere(`after a power cut of backups/ (seed ${seed})${note}`, () => {
  const disks = new Disks();
  const chance = new Chance(seed);
  afterEach(() => disks.remove());

  it(
    `whatever was told of snapshots and prunes is so, all that is listed is whole, and the next of both succeed: ${ROUNDS * CUTS_A_ROUND} cuts`,
    async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const journal = round % 2 === 0 ? 'ordered' : 'writeback';
        const cuts = await cutBackups(disks, chance, CUTS_A_ROUND, { journal });
        expect(cuts).toHaveLength(CUTS_A_ROUND);
        expect(broken(cuts)).toEqual([]);
      }
    },
    CUT_MS,
  );

  it.each(['no-folder-fsync', 'no-file-fsync'])(
    'one of 3 cuts finds the fault of backups with %s',
    async (mutant) => {
      expect(broken(await cutBackups(disks, chance, 3, { mutant }))).not.toEqual([]);
    },
    CUT_MS,
  );

  it(
    `every restore that was told is there, whole, and the next one succeeds: ${ROUNDS * CUTS_A_ROUND} cuts`,
    async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const cuts = await cutRestores(disks, chance, CUTS_A_ROUND, { journal: round % 2 === 0 ? 'ordered' : 'writeback' });
        expect(cuts).toHaveLength(CUTS_A_ROUND);
        expect(broken(cuts)).toEqual([]);
      }
    },
    CUT_MS,
  );

  // a folder that was not flushed is found by traces: the journal of ext4 takes its names along with the next flush of any file
  it(
    'one of 3 cuts finds the fault of restores with no-file-fsync',
    async () => {
      expect(broken(await cutRestores(disks, chance, 3, { mutant: 'no-file-fsync' }))).not.toEqual([]);
    },
    CUT_MS,
  );
});
