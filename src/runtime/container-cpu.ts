import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { controlGroups, type Hierarchy, readKernel } from './control-groups';

/**
 * How many processors' time this process and its children may take together: the quota of its control group and of all above it, which need
 * be no whole number, or the processors that it may run on.
 * @param proc where /proc is @param sys where /sys is
 */
export function containerCpuCores(proc = '/proc', sys = '/sys'): number {
  const quota = Math.min(...controlGroups('cpu', proc, sys).map(quotaOf));
  const processors = availableParallelism(); // which knows the quota too, rounded down
  return processors < Math.floor(quota) ? processors : quota;
}

/** Of v2 in one file (`50000 100000`, `max 100000`), of v1 in two (-1: none), microseconds. */
function quotaOf({ version, folder }: Hierarchy): number {
  const files = version === 2 ? ['cpu.max'] : ['cpu.cfs_quota_us', 'cpu.cfs_period_us'];
  const words = files.flatMap((name) => (readKernel(join(folder, name)) ?? '').trim().split(' '));
  const cores = Number(words[0]) / Number(words[1]);
  return Number.isFinite(cores) && cores > 0 ? cores : Number.POSITIVE_INFINITY;
}
