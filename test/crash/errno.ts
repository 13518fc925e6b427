import { existsSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { checkRegistry } from './registry-check';
import type { Call } from './trace-calls';
import { Drivers, type TracedRun } from './trace-driver';

export const ERRNOS = ['ENOSPC', 'EIO', 'EDQUOT', 'EMFILE', 'EROFS', 'EACCES'] as const;
export const FAILING = ['write', 'fsync', 'link', 'openat', 'mkdir'] as const;

/** What fails, on a registry that earlier steps have made. Every step comes twice: the second finds the fault gone, in the same process. */
export interface FaultyWork {
  readonly before: readonly string[];
  readonly steps: readonly string[];
}

const twice = (...steps: readonly string[]): readonly string[] => steps.flatMap((step) => [step, step]);

export const UPLOADS: FaultyWork = {
  before: [],
  steps: twice(
    ...['publish:iris:one:production', 'publish:iris:two', 'promote:iris:2', 'orphan:lost', 'collect', 'publish:iris:lost', 'checkpoint'],
  ),
};

/** With keys: what was done, though the caller was told that nobody is sure of it, is not done again. */
export const CHANGES: FaultyWork = {
  before: ['publish:iris:one:production', 'publish:iris:two:production', 'publish:mnist:three', 'publish:mnist:four', 'delete:mnist', 'condemn'], // prettier-ignore
  steps: twice(
    ...['rollback:iris@1', 'alias:iris:best:2@2', 'unalias:iris:best@3', 'delete:iris:2@4', 'undelete:mnist@5', 'undelete:iris:2@6'],
  ),
};

type Errno = (typeof ERRNOS)[number];
type Failing = (typeof FAILING)[number];

/** The nth `syscall` of the steps' file work fails. */
export interface Fault {
  readonly errno: Errno;
  readonly syscall: Failing;
  readonly nth: number;
  /** From then on all of them fail, not this one alone. */
  readonly lasting?: boolean;
}

/** Lets system calls of drivers fail and looks at what they make of it. */
export class FaultHunt {
  private base: string | undefined;

  constructor(
    private readonly drivers: Drivers,
    private readonly work: FaultyWork,
  ) {}

  /** Every fault that a run can meet, from a run that is left alone. */
  async faults(): Promise<readonly Fault[]> {
    const { before, steps } = this.work;
    if (before.length > 0) {
      this.base = this.drivers.freshRoot();
      await this.drivers.run(this.base, before);
    }
    const root = this.drivers.freshRoot(this.base);
    const { calls } = await this.drivers.trace(root, steps, FAILING);
    this.drivers.remove(root);
    return FAILING.flatMap((syscall) =>
      calls
        .filter(({ name }) => name === syscall)
        .flatMap((call, index) => (isOurs(call, root) ? ERRNOS.map((errno) => ({ errno, syscall, nth: index + 1 })) : [])),
    );
  }

  /** Runs the steps with a fault, and again without. @returns a sentence for each expectation that is not met */
  async meet(fault: Fault): Promise<readonly string[]> {
    const { errno, syscall, nth, lasting = false } = fault;
    const { steps } = this.work;
    const root = this.drivers.freshRoot(this.base);
    try {
      const inject = [`${syscall}:error=${errno}:when=${nth}${lasting ? '+' : ''}`];
      const run = await this.drivers.trace(root, steps, [...FAILING, 'rename'], { inject });
      const hit = run.calls.find(({ injected }) => injected);
      const staged = leftovers(root, run);
      const left = await checkRegistry(root, run.acks);
      const again = await this.drivers.run(root, steps);
      const faults = [
        ...(hit === undefined ? ['it was not met'] : [...this.wrongAnswers(run, hit, fault, root), ...flushedTwice(run.calls)]),
        ...staged.map((name) => `.staging/${name} was left`),
        ...left,
        ...again.errors.map(({ error, step }) => `without the fault, ${step} failed: ${error}`),
        ...(await checkRegistry(root, run.acks, again.acks)),
      ];
      return faults.map((found) => `${errno} at ${syscall} ${nth}${lasting ? '+' : ''} (${hit?.texts.join(' -> ')}): ${found}`);
    } finally {
      this.drivers.remove(root);
    }
  }

  /** @returns what of the answers is not as `expectedCodes` says */
  private wrongAnswers({ errors, acks, ended }: TracedRun, hit: Call, { errno, lasting = false }: Fault, root: string): readonly string[] {
    const wrong: string[] = [];
    const expected = expectedCodes(hit, errno, root);
    const opened = acks.some(({ ack }) => ack === 'open');
    if (ended !== (opened ? 0 : 1)) wrong.push(`it ended with ${ended}`);
    if (opened && acks.length + errors.length !== this.work.steps.length + 1) wrong.push(`${acks.length} acks and ${errors.length} errors`);
    if (errors.length === 0 && !mayPass(hit, root)) wrong.push('nobody was told');
    for (const { error, step } of errors.slice(0, 1))
      if (!expected.includes(error)) wrong.push(`${step} failed with ${error}, not ${expected.join(' or ')}`);
    if (errors.length > 1 && !lasting) wrong.push(`more failed than met it: ${errors.map(({ step }) => step).join(', ')}`);
    return wrong;
  }
}

/** What a run left in the staging area. The driver itself takes no care of an orphan's bytes that could not be put. */
function leftovers(root: string, { errors }: TracedRun): readonly string[] {
  const folder = join(root, '.staging');
  const orphaned = errors.some(({ step }) => step.startsWith('orphan'));
  return orphaned || !existsSync(folder) ? [] : readdirSync(folder);
}

/**
 * What a caller may be told. Where the folder of the log is not flushed: the event stands, COMMIT_UNCERTAIN. Of a full volume or quota:
 * NO_SPACE, and nothing was written. Of everything else Node's own code, which the service answers as an internal error.
 */
function expectedCodes({ name, args, texts: [path = ''] }: Call, errno: Errno, root: string): readonly string[] {
  const log = join(root, 'log');
  const lists = args.includes('O_DIRECTORY');
  if (path === log && (name === 'fsync' || (name === 'openat' && !lists))) return ['COMMIT_UNCERTAIN'];
  const own = errno === 'EDQUOT' ? 'Unknown system error -122' : errno; // libuv has no name for it
  const full = own !== errno || errno === 'ENOSPC';
  // no system says that it is full when it is only read: there either will do
  const reads = name === 'openat' && (lists || path.startsWith(log + sep));
  // where Node makes a folder and those above it, it tells of some errors only that the folder is not there
  return [...(full ? ['NO_SPACE'] : []), ...(full && !reads ? [] : [own]), ...(name === 'mkdir' ? ['ENOENT'] : [])];
}

/** A folder that is there need not be made, and a checkpoint that cannot be read is none. */
function mayPass({ name, texts: [path = ''] }: Call, root: string): boolean {
  return name === 'mkdir' || path.startsWith(join(root, 'checkpoints'));
}

/**
 * A flush that failed may succeed when it is repeated, with the bytes gone: so a file whose flush failed never gets a name, and a
 * folder is opened again. A second name in `.staging/` promises nobody anything: an undelete holds on to stored bytes by it.
 */
export function flushedTwice(calls: readonly Call[]): readonly string[] {
  return calls.flatMap(({ name, injected, texts: [path], ended }) => {
    if (name !== 'fsync' || !injected) return [];
    const later = calls.filter(({ began }) => began > ended);
    const named = later.some(({ name: next, texts: [from, to = ''] }) => ['link', 'rename'].includes(next) && from === path && !to.includes('/.staging/')); // prettier-ignore
    const flushed = later.findIndex(({ name: next, texts: [file] }) => next === 'fsync' && file === path);
    const opened = later.findIndex(({ name: next, texts, result }) => next === 'openat' && texts.includes(path as string) && result !== -1);
    return [
      ...(named ? [`${path} got a name after its flush had failed`] : []),
      ...(flushed !== -1 && (opened === -1 || opened > flushed) ? [`${path} was flushed again on the same descriptor`] : []),
    ];
  });
}

/** Not what the thread does to wake another. */
function isOurs({ texts }: Call, root: string): boolean {
  return texts.some((path) => path.startsWith(root) || `${root}${sep}`.startsWith(`${path}${sep}`));
}
