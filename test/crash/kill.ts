import { type Ack, checkRegistry } from './registry-check';
import { type DriverRun, Drivers, inPairs } from './trace-driver';

/** What changes the names in a registry, and what makes a change last. */
export const CHANGES = ['mkdir', 'link', 'rename', 'unlink', 'rmdir', 'fsync'];
/** What makes and fills a staged file as well. */
export const ALL_CHANGES = [...CHANGES, 'openat', 'write'];

/** Steps that are killed, on a registry that earlier steps have made; without such, where there is nothing yet. */
export interface Workload {
  readonly before?: readonly string[];
  readonly steps: readonly string[];
  /** The next starts are killed too, one after the other, each before its fsync of that number, if it has so many. */
  readonly killAgainBefore?: readonly number[];
  /** Ends at the first violation then, and repeats nothing. */
  readonly mutant?: string;
}

/** What a hunt found out. */
export interface Hunt {
  /** How many runs were killed. */
  readonly kills: number;
  readonly violations: readonly string[];
}

/** Right before the nth `syscall` of a run's file work. */
interface KillPoint {
  readonly syscall: string;
  readonly nth: number;
}

/** Kills a workload right before each of its system calls in turn, checks what is left, starts again on it and repeats the steps. */
export async function huntByKills(drivers: Drivers, workload: Workload, syscalls: readonly string[]): Promise<Hunt> {
  const { before, steps, mutant } = workload;
  const base = before && drivers.freshRoot();
  const prepared = base === undefined ? [] : (await drivers.run(base, before ?? [])).acks;
  const violations: string[] = [];
  let kills = 0;
  await inPairs(await pointsOf(drivers, workload, base, syscalls), async ({ syscall, nth }) => {
    if (mutant !== undefined && violations.length > 0) return;
    const root = drivers.freshRoot(base);
    const victim = new Victim(drivers, root, workload, prepared);
    await victim.kill({ syscall, nth });
    if (mutant === undefined) await victim.recover();
    drivers.remove(root);
    kills += victim.kills;
    violations.push(...victim.violations.map((violation) => `killed before ${syscall} ${nth} of ${steps.join(' ')}: ${violation}`));
  });
  return { kills, violations };
}

/** Every call that changes something, from a run that is left alone. */
async function pointsOf(
  drivers: Drivers,
  { steps, mutant }: Workload,
  base: string | undefined,
  syscalls: readonly string[],
): Promise<readonly KillPoint[]> {
  const root = drivers.freshRoot(base);
  const { calls } = await drivers.trace(root, steps, syscalls, { mutant });
  drivers.remove(root);
  return syscalls.flatMap((syscall) =>
    calls
      .filter(({ name }) => name === syscall)
      .flatMap(({ args, texts, error }, index) => {
        const changes = error === undefined && (syscall !== 'openat' || args.includes('O_CREAT'));
        const ours = texts.some((path) => path.startsWith(root) || root.startsWith(`${path}/`)); // not what wakes another thread
        return changes && ours ? [{ syscall, nth: index + 1 }] : [];
      }),
  );
}

/** A registry whose drivers are killed. */
class Victim {
  kills = 0;
  readonly violations: string[] = [];
  private readonly streams: (readonly Ack[])[];

  constructor(
    private readonly drivers: Drivers,
    private readonly root: string,
    private readonly workload: Workload,
    prepared: readonly Ack[],
  ) {
    this.streams = [prepared];
  }

  async kill(point: KillPoint): Promise<void> {
    if ((await this.runUntil(point)).ended !== undefined) this.violations.push('it was not killed');
  }

  /** Starts again, with no hand laid on the folder. */
  async recover(): Promise<void> {
    for (const nth of this.workload.killAgainBefore ?? []) await this.runUntil({ syscall: 'fsync', nth });
    const run = await this.drivers.run(this.root, this.workload.steps);
    if (run.ended !== 0) this.violations.push(`the start after it ended with ${run.ended}`);
    await this.judge(run);
    // the same upload again is the same version again, whatever happened in between
    const [, ...repeats] = this.streams.map(
      (acks) => new Set(acks.filter(({ ack }) => ack === 'publish').map((ack) => JSON.stringify(ack))),
    );
    const last = repeats.at(-1);
    const lost = repeats.flatMap((acks) => [...acks].filter((ack) => last?.has(ack) !== true));
    this.violations.push(...lost.map((ack) => `repeated as another version: ${ack}`));
  }

  private async runUntil({ syscall, nth }: KillPoint): Promise<DriverRun> {
    const { steps, mutant } = this.workload;
    const run = await this.drivers.trace(this.root, steps, [syscall], { mutant, inject: [`${syscall}:signal=KILL:when=${nth}`] });
    if (run.ended === undefined) this.kills++;
    await this.judge(run);
    return run;
  }

  private async judge({ acks, errors }: DriverRun): Promise<void> {
    this.streams.push(acks);
    this.violations.push(...errors.map(({ error, step }) => `${step} failed: ${error}`));
    this.violations.push(...(await checkRegistry(this.root, ...this.streams)));
  }
}
