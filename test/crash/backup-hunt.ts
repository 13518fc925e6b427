import { join, sep } from 'node:path';
import { REASONS } from '../../src/backup/snapshot/snapshot-failure';
import { checkBackups, stagedIn } from './backup-check';
import type { Hunt } from './kill';
import type { Call } from './trace-calls';
import { type Drivers, inPairs } from './trace-driver';
import { Order, ORDERED } from './trace-order';

/** Steps of backup-driver.cjs that are meddled with, on what earlier steps have made. */
export interface BackupWork {
  readonly before: readonly string[];
  readonly steps: readonly string[];
  readonly mutant?: string;
}

const REASONABLE: ReadonlySet<unknown> = new Set(REASONS.filter((reason) => reason !== 'unforeseen'));

/** Kills a backup right before each of its system calls in `backups/`, looks at what is left, and takes the next one. */
export async function huntBackupsByKills(drivers: Drivers, work: BackupWork, syscalls: readonly string[], share = 1): Promise<Hunt> {
  const { steps, mutant } = work;
  const base = drivers.freshRoot();
  const { acks: before } = await drivers.run(base, work.before);
  const points = (await callsOf(drivers, base, work, syscalls)).filter((_, at) => at % share === 0);
  const violations: string[] = [];
  let kills = 0;
  await inPairs(points, async ({ name, nth, path }) => {
    if (mutant !== undefined && violations.length > 0) return;
    const root = drivers.freshRoot(base);
    const killed = await drivers.trace(root, steps, [name], { mutant, inject: [`${name}:signal=KILL:when=${nth}`] });
    if (killed.ended === undefined) kills++;
    const found = [...(await checkBackups(root, before, killed.acks))];
    if (mutant === undefined) {
      const again = await drivers.run(root, steps);
      found.push(...again.errors.map(({ error, step }) => `the next ${step} failed: ${error}`));
      found.push(
        ...(await checkBackups(root, before, killed.acks, again.acks)),
        ...stagedIn(root).map((left) => `.staging/${left} was left`),
      );
    }
    drivers.remove(root);
    violations.push(...found.map((violation) => `killed before ${name} ${nth} (${path}): ${violation}`));
  });
  return { kills, violations };
}

/** A system call of a backup that fails. */
export interface BackupFault {
  readonly errno: string;
  readonly name: string;
  readonly nth: number;
  readonly path: string;
}

/**
 * Lets one system call of a backup in `backups/` fail, and takes another in the same process.
 * @returns a sentence for each broken promise; undefined where the fault met a write by which one thread wakes another: which of all
 *   writes that is varies, as blobs are read while others are written
 */
export async function meetBackupFault(
  drivers: Drivers,
  base: string,
  steps: readonly string[],
  fault: BackupFault,
): Promise<readonly string[] | undefined> {
  const { errno, name, nth, path } = fault;
  const root = drivers.freshRoot(base);
  const run = await drivers.trace(root, steps, [name], { inject: [`${name}:error=${errno}:when=${nth}`] }).catch((error: Error) => {
    if (name === 'write' && error.message.includes('SIGABRT')) return undefined;
    throw error;
  });
  if (run === undefined) return undefined;
  const errors = run.errors as readonly {
    readonly error: string;
    readonly step: string;
    readonly reason?: string;
    readonly phase?: string;
  }[];
  const full = errno === 'ENOSPC' || errno === 'EDQUOT';
  const found = [
    ...(run.ended === 0 ? [] : [`it ended with ${run.ended}`]),
    ...(run.calls.some(({ injected }) => injected) ? [] : ['it was not met']),
    ...errors.filter(({ reason }) => !REASONABLE.has(reason)).map(({ error, reason }) => `no reason: ${error} ${reason}`),
    ...errors.filter(({ phase }) => phase === undefined).map(({ error }) => `no phase: ${error}`),
    ...(full ? errors.filter(({ reason, error }) => writes(fault) && (reason !== 'no-space' || error !== 'SNAPSHOT_NO_SPACE') && reason !== 'uncertain').map(({ error }) => `not NO_SPACE but ${error}`) : []), // prettier-ignore
    ...(errors.length > 1 ? ['more failed than met it'] : []),
    ...stagedIn(root).map((left) => `.staging/${left} was left`),
    ...(await checkBackups(root, run.acks)),
  ];
  drivers.remove(root);
  return found.map((violation) => `${errno} at ${name} ${nth} (${path}): ${violation}`);
}

/** What says that a volume is full where it is. */
function writes({ name }: BackupFault): boolean {
  return name !== 'openat';
}

/** Every call of the steps that is about `backups/`, and the how manieth of its name it is. */
export async function callsOf(
  drivers: Drivers,
  base: string,
  { steps, mutant }: Pick<BackupWork, 'steps' | 'mutant'>,
  syscalls: readonly string[],
): Promise<readonly Omit<BackupFault, 'errno'>[]> {
  const root = drivers.freshRoot(base);
  const { calls } = await drivers.trace(root, steps, syscalls, { mutant });
  drivers.remove(root);
  const ours = join(root, 'backups');
  return syscalls.flatMap((syscall) =>
    calls
      .filter(({ name }) => name === syscall)
      .flatMap((call, at) => {
        const path = call.texts.find((text) => text === ours || text.startsWith(ours + sep));
        return path !== undefined && changes(call) ? [{ name: syscall, nth: at + 1, path: path.slice(root.length) }] : [];
      }),
  );
}

function changes({ name, args, error }: Call): boolean {
  return error === undefined && (name !== 'openat' || args.includes('O_CREAT'));
}

/**
 * Shows from a trace that every blob of `backups/` was on disk before the event that needs it had its name, and the event before it was
 * acknowledged.
 */
export async function proveBackupOrder(drivers: Drivers, { before, steps, mutant }: BackupWork): Promise<readonly string[]> {
  const root = drivers.freshRoot();
  await drivers.run(root, before);
  const { calls } = await drivers.traceWhole(root, steps, ORDERED, { mutant });
  const folder = join(root, 'backups');
  const order = new Order(folder, calls);
  const born = order.births().map(({ path }) => path);
  const events = born.filter((path) => path.startsWith(join(folder, 'log') + sep));
  const blobs = born.filter((path) => path.startsWith(join(folder, 'blobs') + sep));
  const acked = [...order.acks()].filter(({ ack }) => ack.ack === 'take' || ack.ack === 'sealed');
  const began = events[0] === undefined ? -1 : (order.birthOf(events[0], Infinity)?.call.began ?? -1);
  drivers.remove(root);
  return [
    ...(events.length === acked.length && acked.length === 1 && blobs.length > 2 ? [] : ['it took no snapshot']),
    ...order.writtenInPlace(),
    ...blobs.flatMap((path) => order.notOnDisk(path, began)),
    ...events.flatMap((path) => order.notOnDisk(path, acked[0]?.at ?? -1)),
  ];
}
