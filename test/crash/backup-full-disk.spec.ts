import { fillBackupsOnce } from './backup-full-disk';
import { LONG } from './backup-hunt';
import { Chance } from './power-cut-random';
import { describeOn, Volumes } from './power-cut-volumes';

const PASSES = LONG ? 10 : 3;

const { seed } = Chance;
const [describeHere, note] = describeOn('tmpfs');

describeHere(`backups that fill their volume (seed ${seed})${note}`, () => {
  const volumes = new Volumes();
  const chance = new Chance(seed);
  afterEach(() => volumes.remove());

  it.each(Array.from({ length: PASSES }, (_, pass) => (pass % 2 === 0 ? ('filler' as const) : ('prune' as const))))(
    'say that there is no space, harm no snapshot, and go on when there is space again: a %s goes',
    async (relief) => {
      const { taken, failures, violations, failedAgain, staged } = await fillBackupsOnce(volumes, chance, relief);
      expect({ violations, failedAgain, staged }).toEqual({ violations: [], failedAgain: [], staged: [] });
      expect(taken).toBeGreaterThan(1);
      expect(failures).not.toEqual([]);
      for (const failure of failures) expect(failure).toMatchObject(fullAt(failure.step));
    },
    60_000,
  );
});

function fullAt(step: string): object {
  return { error: step === 'prune' ? 'NO_SPACE' : 'SNAPSHOT_NO_SPACE', reason: 'no-space' };
}
