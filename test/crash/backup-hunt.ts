import { join, sep } from 'node:path';
import { REASONS } from '../../src/backup/snapshot/snapshot-failure';
import { checkBackups, stagedIn } from './backup-check';
import { flushedTwice } from './errno';
import type { Hunt } from './kill';
import { Chance } from './power-cut-random';
import type { StepError } from './registry-check';
import { OldOrNew } from './restore-check';
import type { Call } from './trace-calls';
import { type Drivers, inPairs } from './trace-driver';
import { eventsOf, Order, ORDERED } from './trace-order';

/** Steps of backup-driver.cjs that are meddled with, on what earlier steps have made. */
export interface BackupWork {
  readonly before: readonly string[];
  readonly steps: readonly string[];
  /** What succeeds afterwards, with no hand laid on anything. Default: the same steps. */
  readonly next?: readonly string[];
  readonly mutant?: string;
  /** Where the steps restore something: the folder of ROOT that they make another one. */
  readonly restores?: string;
}

/** A system call of a backup that changes something in `backups/`, or where a restore changes something, and the how manieth of its name it is. */
export interface BackupCall {
  readonly name: string;
  readonly nth: number;
  readonly path: string;
}

/** One that fails. */
export interface BackupFault extends BackupCall {
  readonly errno: string;
}

/** Whether everything is tried, not a part of it: `CRASH_LONG=1`. */
export const LONG = process.env['CRASH_LONG'] !== undefined;

/** What `chosen` chooses by. */
export const SEED = Chance.seed;

/** What changes names or bytes, and what makes a change last. */
export const CHANGING = ['mkdir', 'link', 'rename', 'unlink', 'fsync', 'openat', 'write'];

export const ERRNOS = ['ENOSPC', 'EIO', 'EDQUOT', 'EROFS', 'EACCES'] as const;

/** What shows whether a flush that failed is believed when it is repeated. */
const FLUSHING = ['fsync', 'openat', 'link', 'rename'];

/** How often a fault is moved on that met no file. */
const MORE_TRIES = 3;

const REASONABLE: ReadonlySet<unknown> = new Set(REASONS.filter((reason) => reason !== 'unforeseen'));
/** Where a thread wakes another, and strace made that fail. */
const WAKING = /^write\(\d+<anon_inode:\[eventfd\][^>]*>.* \(INJECTED\)$/m;

/** All of them with `CRASH_LONG=1`, else that many, by the seed. */
export function chosen<T>(all: readonly T[], count: number): readonly T[] {
  return LONG ? all : new Chance(SEED).some(all, count);
}

/**
 * Kills a backup or a restore right before the system calls by which it changes something, looks at what is left, and does the next steps.
 * @param choose which of all of them; default: each
 */
export async function huntBackupsByKills(
  drivers: Drivers,
  work: BackupWork,
  syscalls: readonly string[],
  choose = (all: readonly BackupCall[]): readonly BackupCall[] => all,
): Promise<Hunt> {
  const { steps, mutant } = work;
  const base = drivers.freshRoot();
  const { acks: before } = await drivers.run(base, work.before);
  const points = choose(await callsOf(drivers, base, work, syscalls));
  const restored = await restoredBy(drivers, base, work);
  const violations: string[] = [];
  let kills = 0;
  await inPairs(points, async ({ name, nth, path }) => {
    if (mutant !== undefined && violations.length > 0) return;
    const root = drivers.freshRoot(base);
    const killed = await drivers.trace(root, steps, [name], { mutant, inject: [`${name}:signal=KILL:when=${nth}`] });
    if (killed.ended === undefined) kills++;
    const told = [before, killed.acks];
    const found = [
      ...(await checkBackups(root, ...told)),
      ...((await restored?.eitherIn(root)) ?? []),
      ...(mutant === undefined ? await goOn(drivers, root, work, told, restored) : []),
    ];
    drivers.remove(root);
    violations.push(...found.map((violation) => `killed before ${name} ${nth} (${path}): ${violation}`));
  });
  return { kills, violations };
}

/** @returns a sentence for each of the next steps that fails, and for what they leave behind or break */
async function goOn(
  drivers: Drivers,
  root: string,
  { steps, next = steps, restores }: BackupWork,
  told: readonly Acks[],
  restored: OldOrNew | undefined,
): Promise<readonly string[]> {
  const { acks, errors } = await drivers.run(root, next);
  return [
    ...errors.filter(({ error }) => !isThere(error)).map(({ error, step }) => `the next ${step} failed: ${error}`),
    ...leftIn(root, restores),
    ...(await checkBackups(root, ...told, acks)),
    ...((await restored?.newIn(root)) ?? []),
  ];
}

async function restoredBy(drivers: Drivers, base: string, { restores, steps }: BackupWork): Promise<OldOrNew | undefined> {
  return restores === undefined ? undefined : OldOrNew.of(drivers, base, restores, steps.slice(0, 1));
}

/** What a place that was restored answers when it is to be restored once more. */
function isThere(error: string): boolean {
  return error === 'LOG_EXISTS';
}

function leftIn(root: string, restores?: string): readonly string[] {
  const folders = ['backups', ...(restores === undefined ? [] : [restores])];
  return folders.flatMap((folder) => stagedIn(root, folder).map((left) => `${folder}/.staging/${left} was left`));
}

/** What backup-driver.cjs says of a step that failed. */
interface ToldError extends StepError {
  readonly reason?: string;
  readonly phase?: string;
}

type Acks = Awaited<ReturnType<Drivers['run']>>['acks'];

/**
 * Lets one system call of a backup in `backups/` fail, and does the next steps.
 * @param work its steps come twice, so that the second finds the fault gone, in the same process
 * @returns a sentence for each broken promise; undefined where the fault met a write by which one thread wakes another, for which libuv
 *   aborts: which of all writes that is varies, as blobs are read while others are written
 */
export async function meetBackupFault(
  drivers: Drivers,
  base: string,
  work: BackupWork,
  fault: BackupFault,
  triesLeft = MORE_TRIES,
): Promise<readonly string[] | undefined> {
  const { errno, name, nth, path } = fault;
  const root = drivers.freshRoot(base);
  const seen = [...new Set([name, ...FLUSHING])];
  const run = await drivers.trace(root, work.steps, seen, { inject: [`${name}:error=${errno}:when=${nth}`] }).catch((error: Error) => {
    if (WAKING.test(error.message) && error.message.includes('SIGABRT')) return undefined;
    throw error;
  });
  // one of the next is of a file
  if (run === undefined) return triesLeft > 0 ? meetBackupFault(drivers, base, work, { ...fault, nth: nth + 1 }, triesLeft - 1) : undefined;
  if (triesLeft < MORE_TRIES && !run.calls.some(({ injected }) => injected)) return undefined; // that was the last of all
  const errors: readonly ToldError[] = run.errors.filter(({ error }) => !isThere(error));
  const restored = await restoredBy(drivers, base, work);
  const full = (errno === 'ENOSPC' || errno === 'EDQUOT') && tellsOfSpace(fault);
  const found = [
    ...(run.ended === 0 ? [] : [`it ended with ${run.ended}`]),
    ...(run.calls.some(({ injected }) => injected) ? [] : ['it was not met']),
    ...flushedTwice(run.calls),
    ...errors.filter(({ reason }) => !REASONABLE.has(reason)).map(({ error, reason }) => `no reason: ${error} ${reason}`),
    ...errors.filter(({ phase }) => phase === undefined).map(({ error }) => `no phase: ${error}`),
    ...(full ? errors.filter((told) => !saysFull(told)).map(({ error }) => `not NO_SPACE but ${error}`) : []),
    ...(errors.length > 1 ? ['more failed than met it'] : []),
    // what cannot be taken away is left to whoever comes when this process is gone
    ...(name === 'unlink' ? [] : leftIn(root, work.restores)),
    ...(await checkBackups(root, run.acks)),
    ...((await restored?.eitherIn(root)) ?? []),
    ...((await restored?.toldIn(root, run.acks, errors)) ?? []),
    ...(work.next === undefined ? [] : await goOn(drivers, root, work, [run.acks], restored)),
  ];
  drivers.remove(root);
  return found.map((violation) => `${errno} at ${name} ${nth} (${path}): ${violation}`);
}

/** What says that a volume is full where it is. Of a folder that cannot be made Node may say that it is not there. */
function tellsOfSpace({ name }: BackupFault): boolean {
  return name !== 'openat' && name !== 'unlink' && name !== 'mkdir';
}

function saysFull({ error, step, reason }: ToldError): boolean {
  const own = /^(take|sealed)/.test(step) ? ['SNAPSHOT_NO_SPACE'] : ['NO_SPACE'];
  // a restore takes a snapshot first
  return (
    reason === 'uncertain' || (reason === 'no-space' && [...own, ...(step === 'restore' ? ['SNAPSHOT_NO_SPACE'] : [])].includes(error))
  );
}

/** Every call of the steps that changes something in `backups/`, or where they restore. */
export async function callsOf(
  drivers: Drivers,
  base: string,
  { steps, mutant, restores }: Pick<BackupWork, 'steps' | 'mutant' | 'restores'>,
  syscalls: readonly string[],
): Promise<readonly BackupCall[]> {
  const root = drivers.freshRoot(base);
  const { calls } = await drivers.trace(root, steps, syscalls, { mutant });
  drivers.remove(root);
  const ours = ['backups', ...(restores === undefined ? [] : [restores])].map((folder) => join(root, folder));
  return syscalls.flatMap((syscall) =>
    calls
      .filter(({ name }) => name === syscall)
      .flatMap((call, at) => {
        const path = call.texts.find((text) => ours.some((folder) => text === folder || text.startsWith(folder + sep)));
        return path !== undefined && changes(call) ? [{ name: syscall, nth: at + 1, path: path.slice(root.length) }] : [];
      }),
  );
}

function changes({ name, args, error }: Call): boolean {
  return error === undefined && (name !== 'openat' || args.includes('O_CREAT'));
}

/**
 * Shows from a trace that every blob of `backups/`, or of the registry that is restored, was on disk before the event that needs it had
 * its name, and the event before it was acknowledged.
 */
export async function proveBackupOrder(drivers: Drivers, work: BackupWork): Promise<readonly string[]> {
  const { order, folder, acks } = await orderOf(drivers, work);
  const born = order.births().map(({ path }) => path);
  const events = born.filter((path) => path.startsWith(join(folder, 'log') + sep));
  const blobs = born.filter((path) => path.startsWith(join(folder, 'blobs') + sep));
  const acked = acks.filter(({ ack }) => ['take', 'sealed', 'restore'].includes(ack.ack));
  const began = events[0] === undefined ? -1 : (order.birthOf(events[0], Infinity)?.call.began ?? -1);
  return [
    ...(events.length === acked.length && acked.length === 1 && blobs.length > 1 ? [] : ['it took no snapshot, or restored none']),
    ...order.writtenInPlace(),
    ...blobs.flatMap((path) => order.notOnDisk(path, began)),
    ...events.flatMap((path) => order.notOnDisk(path, acked[0]?.at ?? -1)),
  ];
}

/**
 * Shows from a trace of two prunes that each one's event was on disk before it was acknowledged, and that of the second, which condemns,
 * before the first object went.
 */
export async function provePruneOrder(drivers: Drivers, work: BackupWork): Promise<readonly string[]> {
  const { order, folder, acks, condemning } = await orderOf(drivers, work);
  const events = order.births().flatMap(({ path }) => (path.startsWith(join(folder, 'log') + sep) ? [path] : []));
  const prunes = acks.filter(({ ack }) => ack.ack === 'prune');
  const removed = prunes.map(({ ack }) => ack['removed'] as number);
  return [
    ...(events.length === 2 && removed[0] === 0 && (removed[1] ?? 0) > 0 ? [] : ['it deleted or collected nothing']),
    ...order.writtenInPlace(),
    ...order.removedTooEarly(condemning),
    ...events.flatMap((path, at) => order.notOnDisk(path, prunes[at]?.at ?? -1)),
  ];
}

/** Shows from a trace that all blobs and events of a new place were on disk before its log had its name, and that before it was acknowledged. */
export async function provePlaceOrder(drivers: Drivers, work: BackupWork): Promise<readonly string[]> {
  const { order, folder, acks } = await orderOf(drivers, work);
  const log = join(folder, 'log');
  const named = order.birthOf(log, Infinity)?.call.began ?? -1;
  const blobs = order.births().flatMap(({ path }) => (path.startsWith(join(folder, 'blobs') + sep) ? [path] : []));
  const placed = acks.find(({ ack }) => ack.ack === 'place');
  return [
    ...(blobs.length > 1 ? [] : ['it restored nothing']),
    ...order.writtenInPlace(),
    ...blobs.flatMap((path) => order.notOnDisk(path, named)),
    ...order.folderNotOnDisk(log, placed?.at ?? -1),
  ];
}

/** The order of the calls of the steps in `backups/`, or where they restore. */
async function orderOf(drivers: Drivers, { before, steps, mutant, restores = 'backups' }: BackupWork) {
  const root = drivers.freshRoot();
  await drivers.run(root, before);
  const { calls } = await drivers.traceWhole(root, steps, ORDERED, { mutant });
  const folder = join(root, restores);
  const order = new Order(folder, calls);
  const condemning = await eventsOf(folder);
  drivers.remove(root);
  return { order, folder, acks: [...order.acks()], condemning };
}
