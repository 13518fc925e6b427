import { existsSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { checkRegistry } from './registry-check';
import type { Call } from './trace-calls';
import { Drivers, type TracedRun } from './trace-driver';

export const ERRNOS = ['ENOSPC', 'EIO', 'EDQUOT', 'EMFILE', 'EROFS', 'EACCES'] as const;
export const FAILING = ['write', 'fsync', 'link', 'openat', 'mkdir'] as const;

/** Every step twice: the second finds the fault gone, in the same process. */
export const STEPS =
  ['publish:iris:one:production', 'publish:iris:two', 'promote:iris:2', 'orphan:lost', 'collect', 'publish:iris:lost', 'checkpoint'] // prettier-ignore
    .flatMap((step) => [step, step]);

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
  constructor(private readonly drivers: Drivers) {}

  /** Every fault that a run in an empty place can meet, from a run that is left alone. */
  async faults(): Promise<readonly Fault[]> {
    const root = this.drivers.freshRoot();
    const { calls } = await this.drivers.trace(root, STEPS, FAILING);
    this.drivers.remove(root);
    return FAILING.flatMap((syscall) =>
      calls
        .filter(({ name }) => name === syscall)
        .flatMap((call, index) => (isOurs(call, root) ? ERRNOS.map((errno) => ({ errno, syscall, nth: index + 1 })) : [])),
    );
  }

  /** Runs the steps with a fault, and again without. @returns a sentence for each expectation that is not met */
  async meet({ errno, syscall, nth, lasting = false }: Fault): Promise<readonly string[]> {
    const root = this.drivers.freshRoot();
    try {
      const inject = [`${syscall}:error=${errno}:when=${nth}${lasting ? '+' : ''}`];
      const run = await this.drivers.trace(root, STEPS, [...FAILING, 'rename'], { inject });
      const hit = run.calls.find(({ injected }) => injected);
      const staged = leftovers(root, run);
      const left = await checkRegistry(root, run.acks);
      const again = await this.drivers.run(root, STEPS);
      const faults = [
        ...(hit === undefined ? ['it was not met'] : [...wrongAnswers(run, hit, errno, root, lasting), ...flushedTwice(run.calls)]),
        ...staged.map((name) => `.staging/${name} was left`),
        ...left,
        ...again.errors.map(({ error, step }) => `without the fault, ${step} failed: ${error}`),
        ...(await checkRegistry(root, run.acks, again.acks)),
      ];
      return faults.map((fault) => `${errno} at ${syscall} ${nth}${lasting ? '+' : ''} (${hit?.texts.join(' -> ')}): ${fault}`);
    } finally {
      this.drivers.remove(root);
    }
  }
}

/** What a run left in the staging area. The driver itself takes no care of an orphan's bytes that could not be put. */
function leftovers(root: string, { errors }: TracedRun): readonly string[] {
  const folder = join(root, '.staging');
  const orphaned = errors.some(({ step }) => step.startsWith('orphan'));
  return orphaned || !existsSync(folder) ? [] : readdirSync(folder);
}

/** @returns what of the answers is not as `expectedCodes` says */
function wrongAnswers({ errors, acks, ended }: TracedRun, hit: Call, errno: Errno, root: string, lasting: boolean): readonly string[] {
  const wrong: string[] = [];
  const expected = expectedCodes(hit, errno, root);
  const opened = acks.some(({ ack }) => ack === 'open');
  if (ended !== (opened ? 0 : 1)) wrong.push(`it ended with ${ended}`);
  if (opened && acks.length + errors.length !== STEPS.length + 1) wrong.push(`${acks.length} acks and ${errors.length} errors`);
  if (errors.length === 0 && !mayPass(hit, root)) wrong.push('nobody was told');
  for (const { error, step } of errors.slice(0, 1))
    if (!expected.includes(error)) wrong.push(`${step} failed with ${error}, not ${expected.join(' or ')}`);
  if (errors.length > 1 && !lasting) wrong.push(`more failed than met it: ${errors.map(({ step }) => step).join(', ')}`);
  return wrong;
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
 * folder is opened again.
 */
function flushedTwice(calls: readonly Call[]): readonly string[] {
  return calls.flatMap(({ name, injected, texts: [path], ended }) => {
    if (name !== 'fsync' || !injected) return [];
    const later = calls.filter(({ began }) => began > ended);
    const named = later.some(({ name: next, texts: [from] }) => ['link', 'rename'].includes(next) && from === path);
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
