import { totalmem } from 'node:os';
import { join } from 'node:path';
import { controlGroups, readKernel } from './control-groups';

/**
 * How much memory this process and its children may take together, bytes: the limit of its control group and of all above it, or all of the
 * machine's.
 * @param proc where /proc is @param sys where /sys is
 */
export function containerMemoryBytes(proc = '/proc', sys = '/sys'): number {
  const groups = controlGroups('memory', proc, sys);
  const limits = groups.map(({ version, folder }) => readLimit(join(folder, version === 2 ? 'memory.max' : 'memory.limit_in_bytes')));
  return Math.min(totalmem(), ...limits);
}

/** 'max' and what v1 says in place of it (nearly 2^63) are no limits. */
function readLimit(path: string): number {
  const limit = Number((readKernel(path) ?? 'max').trim());
  return Number.isFinite(limit) && limit > 0 ? limit : Number.POSITIVE_INFINITY;
}
