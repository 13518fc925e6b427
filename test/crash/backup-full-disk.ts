import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { stagedIn } from './backup-check';
import { BLOCK_BYTES, blocks, drive, takeSpace } from './full-disk';
import type { Chance } from './power-cut-random';
import type { Volumes } from './power-cut-volumes';
import type { Ack, StepError } from './registry-check';
import { BACKUPS } from './subject';

const MIB = 2 ** 20;
const BLOCKS_A_MIB = Math.floor(MIB / BLOCK_BYTES);
const VOLUME_MIB = 64;
/** Room for the events of a prune. */
const SPARE_BYTES = MIB;
const MOST_ROUNDS = 30;

/** How space comes back: something else goes from the volume, or a prune takes what nobody needs. */
export type Relief = 'filler' | 'prune';

/** What a pass to the last byte showed. */
export interface BackupPass {
  /** Snapshots that were taken before the volume was full. */
  readonly taken: number;
  /** What was said by each step that failed. */
  readonly failures: readonly StepError[];
  /** The promises that were broken while the volume was full, and after there was space again. */
  readonly violations: readonly string[];
  /** Steps that failed when there was space again. */
  readonly failedAgain: readonly StepError[];
  /** What was left in the staging area. */
  readonly staged: readonly string[];
}

/** Takes snapshots onto a small volume until nothing more fits, makes space, and takes the next one. */
export async function fillBackupsOnce(volumes: Volumes, chance: Chance, relief: Relief): Promise<BackupPass> {
  const volume = await volumes.tmpfs(`size=${VOLUME_MIB}m`);
  const root = await rootWithBackupsOn(volumes, volume);
  const makeSpace = relief === 'filler' ? takeSpace(volume, 'bytes', chance) : () => {};
  const spare = relief === 'prune' ? [`spare:${SPARE_BYTES}`] : [];
  const told: (readonly Ack[])[] = [];
  const run = async (...steps: readonly string[]): Promise<readonly StepError[]> => {
    const { acks, errors } = await drive(BACKUPS.driver, root, [...spare, ...steps]);
    told.push(acks);
    return errors;
  };

  let models = 0;
  const publish = (mebibytes: number): string => `publish:m${models}:${blocks(models++, Math.floor(mebibytes * BLOCKS_A_MIB))}`;
  const looks = relief === 'filler' ? [[], ['verify'], ['verify', 'prune']] : [[], ['verify']];
  const round = (): readonly string[] => [publish(chance.whole(20, 60) / 10), 'take', ...chance.oneOf(looks)];
  // what a prune gives back in the end is the encrypted twin of the first model
  const failures = [...(await run(publish(relief === 'prune' ? 12 : 2), 'sealed', 'verify', 'take', 'verify'))];
  for (let rounds = 0; failures.length === 0 && rounds < MOST_ROUNDS; rounds++) failures.push(...(await run(...round())));
  failures.push(...(await run(...chance.oneOf([['take'], ['sealed', 'take'], ['verify', 'take']]))));
  const violations = [...(await BACKUPS.check(root, ...told))];
  const staged = [...stagedIn(root)];
  const taken = told.flat().filter(({ ack }) => ack === 'take').length;

  makeSpace();
  const failedAgain = [...(relief === 'prune' ? await run('prune', 'prune') : []), ...(await run(...BACKUPS.next))];
  violations.push(...(await BACKUPS.check(root, ...told)));
  staged.push(...stagedIn(root));
  return { taken, failures, violations, failedAgain, staged };
}

/** The registry on a volume of its own, with room for all that is published. */
async function rootWithBackupsOn(volumes: Volumes, volume: string): Promise<string> {
  const root = await volumes.tmpfs('size=256m');
  mkdirSync(join(volume, 'backups'));
  symlinkSync(join(volume, 'backups'), join(root, 'backups'));
  return root;
}
