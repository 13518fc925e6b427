import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { hasCode } from '../errors/has-code';

/** Whose a staged file is: the machine (and its process namespace), the process, and when that process began. */
export interface StagingOwner {
  readonly machine: string;
  readonly pid: number;
  /** Clock ticks from boot to the start of the process: a process id is used again, the two together are not. */
  readonly began: string;
}

const OWNED = /^([0-9a-f]{8})-([0-9]+)-([0-9]+)-/;

/** This process. */
export const SELF: StagingOwner = { machine: machineId(), pid: process.pid, began: beganAt(process.pid) ?? '0' };

/** How the names of this process's staged files begin. */
export const OWNER_PREFIX = `${SELF.machine}-${SELF.pid}-${SELF.began}-`;

/** @returns the owner that a file's name tells, `undefined` where it tells none */
export function ownerOf(name: string): StagingOwner | undefined {
  const [, machine, pid, began] = OWNED.exec(name) ?? [];
  return machine === undefined || pid === undefined || began === undefined ? undefined : { machine, pid: Number(pid), began };
}

/** Whether that process is certainly gone. Of a process on another machine nobody can tell. */
export function isGone({ machine, pid, began }: StagingOwner): boolean {
  if (machine !== SELF.machine) return false;
  const now = beganAt(pid);
  return now === undefined ? !answers(pid) : now !== began;
}

/** Two containers that share a volume share no process ids: their namespaces differ although the kernel is one. */
function machineId(): string {
  const boot = tolerant(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')) ?? hostname();
  const namespace = tolerant(() => readlinkSync('/proc/self/ns/pid')) ?? '';
  return createHash('sha256').update(`${boot} ${namespace}`).digest('hex').slice(0, 8);
}

/** Field 22 of /proc/<pid>/stat (proc(5)); the second field may hold spaces and brackets, so count from its end. */
function beganAt(pid: number): string | undefined {
  const stat = tolerant(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

/** Where /proc does not tell: it is not there, or hides the processes of other users. */
function answers(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return hasCode(error, 'EPERM'); // it is there, and somebody else's
  }
}

/** What this system does not have counts as not known. */
function tolerant<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
