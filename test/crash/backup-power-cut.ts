import { cutDuring } from './power-cut';
import { type Cut, type Disks, type Ground } from './power-cut-disk';
import type { Chance } from './power-cut-random';
import { BACKUPS, RESTORES } from './subject';

const DRIVERS = 2;
const ROUNDS = 4;

/** Two drivers that take, verify and prune snapshots of one registry, on a new disk whose power is cut that often. @throws as `cutDuring` */
export function cutBackups(disks: Disks, chance: Chance, cuts: number, ground: Ground = {}): Promise<readonly Cut[]> {
  const steps = Array.from({ length: DRIVERS }, (_, driver) => stepsOf(chance, `d${driver}`));
  return cutDuring(disks, chance, cuts, steps, { ...ground, subject: BACKUPS });
}

/** Two drivers that restore snapshots of one registry too, into itself and into places of their own. @throws as `cutDuring` */
export function cutRestores(disks: Disks, chance: Chance, cuts: number, ground: Ground = {}): Promise<readonly Cut[]> {
  const steps = Array.from({ length: DRIVERS }, (_, at) => {
    const driver = `d${at}`;
    const fresh = () => `publish:${driver}:${driver}-${chance.whole(0, 1e9)}-x${chance.size(1, 100_000)}`;
    const round = (_round: unknown, number: number) => [
      ...[fresh(), chance.oneOf(['take', 'sealed']), 'verify', fresh(), 'restore'],
      ...[`place:${driver}-${number}`, ...chance.oneOf([[], ['prune']])],
    ];
    return [...Array.from({ length: ROUNDS }, round).flat(), fresh(), 'restore'];
  });
  return cutDuring(disks, chance, cuts, steps, { ...ground, subject: RESTORES });
}

/** The last step writes an event, after which nobody need flush anything. */
function stepsOf(chance: Chance, driver: string): readonly string[] {
  const fresh = () => `publish:${driver}:${driver}-${chance.whole(0, 1e9)}-x${chance.size(1, 100_000)}`;
  const left = () => chance.oneOf([[], [`orphan:left-${chance.whole(0, 3)}`], [`publish:shared:left-${chance.whole(0, 3)}`]]);
  const take = () => chance.oneOf(['take', 'take', 'sealed']);
  const rounds = Array.from({ length: ROUNDS }, () => [fresh(), ...left(), take(), 'verify', 'prune', ...chance.oneOf([[], ['prune']])]);
  return [...rounds.flat(), fresh(), take()];
}
