import { setTimeout as sleep } from 'node:timers/promises';
import { countOf, type Cut, type Disk, type Disks, type Ground, type Image } from './power-cut-disk';
import type { Chance } from './power-cut-random';
import { repairExt4 } from './power-cut-volumes';

const WRITERS = 4;
const RECOVERERS = 2;
/** A round begins with an empty disk: the folders of the registry are made, and may be lost, once in it. */
const CUTS_A_ROUND = 5;

/** Four writers on a new disk, whose power is cut that often. @throws as `cutDuring` */
export async function cutWriters(disks: Disks, chance: Chance, cuts: number, ground: Ground = {}): Promise<readonly Cut[]> {
  const collecting = ground.journal !== 'none'; // without a journal the name of a removed file may outlive its bytes
  const steps = Array.from({ length: WRITERS }, (_, writer) => stepsOf(chance, `w${writer}`, 40, collecting));
  return cutDuring(disks, chance, cuts, steps, ground);
}

/**
 * Drivers on a new disk, whose power is cut that often: once soon after they have begun, then at random moments, and at last right after
 * the last acknowledgement.
 * @param steps of each driver @throws where a step fails
 */
export async function cutDuring(
  disks: Disks,
  chance: Chance,
  cuts: number,
  steps: readonly (readonly string[])[],
  ground: Ground,
): Promise<readonly Cut[]> {
  const disk = await disks.format(ground);
  const middle = Array.from({ length: cuts - 2 }, () => chance.whole(9, Math.floor(countOf(steps) * 0.95)));
  for (const own of steps) disk.start(own);
  const images: Image[] = [];
  for (const acks of [chance.whole(1, 8), ...middle.sort((a, b) => a - b)]) {
    const delayMs = chance.oneOf([0, 0, chance.whole(1, 10)]);
    await disk.heard(acks);
    if (delayMs > 0) await sleep(delayMs);
    images.push(await disk.cut(`${delayMs} ms after acknowledgement ${acks}`));
  }
  await disk.ended();
  images.push(await disk.cut('right after the last acknowledgement'));
  refuseErrors(disk);
  await disk.remove();
  return lookAt(disks, images, ground);
}

/** Rounds of writers, 5 cuts each, on these file systems in turn. */
export async function cutOften(
  disks: Disks,
  chance: Chance,
  rounds: number,
  ...journals: readonly NonNullable<Ground['journal']>[]
): Promise<readonly Cut[]> {
  const found: Cut[] = [];
  for (let round = 0; round < rounds; round++) {
    const journal = journals[round % journals.length] ?? 'ordered';
    found.push(...(await cutWriters(disks, chance, CUTS_A_ROUND, { journal })));
  }
  return found;
}

/**
 * Writers on a new disk, a cut, and again two writers on what is left, cut soon after they have begun; and once more. In the end
 * writers do their work undisturbed.
 * @throws where a step of a writer fails
 */
export async function cutRecoveries(disks: Disks, chance: Chance): Promise<readonly Cut[]> {
  let disk = await disks.format({});
  for (let writer = 0; writer < WRITERS; writer++) disk.start(stepsOf(chance, `w${writer}`, 20));
  await disk.heard(chance.whole(1, 60));
  const found: Cut[] = [];
  for (let recovery = 1; recovery <= 3; recovery++) {
    const image = await disk.cut(`cut ${recovery} in a row`);
    refuseErrors(disk);
    await disk.remove();
    disk = await disks.mount(image);
    found.push(await disk.look());
    for (let writer = 0; writer < RECOVERERS; writer++) disk.start(stepsOf(chance, `r${recovery}${writer}`, 10));
    if (recovery < 3) await disk.heard(chance.whole(1, 5));
  }
  await disk.ended();
  refuseErrors(disk);
  found.push({ ...(await disk.look()), when: 'at work again' });
  await disk.remove();
  return found;
}

/** Leaves out the images in which the repair gave names away: they say nothing of the subject. */
async function lookAt(disks: Disks, images: readonly Image[], ground: Ground): Promise<readonly Cut[]> {
  const found: Cut[] = [];
  for (const image of images) {
    if (ground.journal === 'none' && !(await repairExt4(image.path))) continue;
    const disk = await disks.mount(image, ground);
    const cut = await disk.look();
    found.push(ground.mutant === undefined ? { ...cut, violations: [...cut.violations, ...(await disk.goOn())] } : cut);
    await disk.remove();
  }
  return found;
}

/**
 * Work that succeeds whatever others do, but for what somebody collects before it is undeleted: on a model of its own and on one that all
 * share, with files of its own and some that all have. The last step writes an event, after which nobody need flush anything.
 */
function stepsOf(chance: Chance, writer: string, length: number, collecting = true): readonly string[] {
  let published = 0;
  /** Versions of its own that are not deleted. */
  const own: number[] = [];
  const fresh = () => `${writer}-${chance.whole(0, 1e9)}-x${chance.size(1, 200_000)}`;
  const common = () => `common-${chance.whole(0, 9)}`;
  const publish = () => {
    own.push(++published);
    return `publish:${writer}:${fresh()}`;
  };
  const promote = () => `promote:${writer}:${chance.oneOf(own)}`;
  const uploads = [
    () => [publish()],
    () => [`publish:shared:${fresh()}`],
    () => [`publish:shared:${fresh()}:production`],
    () => [`publish:shared:${common()}`],
  ];
  const others = [() => [`orphan:${common()}`], () => [promote()], () => ['checkpoint']];
  if (collecting) others.push(() => [chance.oneOf(['collect', 'purge'])]);
  const [first, second] = [publish(), publish()];
  const changes = [
    () => [`promote:${writer}:1`, `promote:${writer}:2`, `rollback:${writer}`],
    () => [`alias:${writer}:best:${chance.oneOf(own)}`, `unalias:${writer}:best`],
    () => {
      const [version] = own.length > 2 ? own.splice(chance.whole(2, own.length - 1), 1) : [];
      return version === undefined ? [] : [`archive:${writer}:${version}`, `delete:${writer}:${version}`, `undelete:${writer}:${version}`];
    },
    () => [`publish:${writer}-gone:${fresh()}`, `delete:${writer}-gone`, `undelete:${writer}-gone`],
  ];
  const steps = [first, second];
  while (steps.length < length - 1) steps.push(...chance.oneOf([...uploads, ...uploads, ...others, ...changes])());
  return [...steps.slice(0, length - 1), publish()];
}

function refuseErrors({ errors }: Disk): void {
  if (errors.length > 0) throw new Error(`steps failed: ${JSON.stringify(errors)}`);
}
