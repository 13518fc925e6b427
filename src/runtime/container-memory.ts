import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';

/**
 * How much memory this process and its children may take together, bytes: the limit of its control group, or all of the machine's.
 * cgroup v2: `memory.max` of the own group and of all above it (docs.kernel.org/admin-guide/cgroup-v2.html); v1:
 * `memory.limit_in_bytes` likewise. Inside a container the own group is usually mounted as the root.
 * @param proc where /proc is @param sys where /sys is
 */
export function containerMemoryBytes(proc = '/proc', sys = '/sys'): number {
  const limits = groupsOf(proc).flatMap(([controllers, path]) =>
    controllers === ''
      ? ancestorsOf(path).map((group) => join(sys, 'fs/cgroup', group, 'memory.max'))
      : ancestorsOf(path).map((group) => join(sys, 'fs/cgroup/memory', group, 'memory.limit_in_bytes')),
  );
  return Math.min(totalmem(), ...limits.map(readLimit));
}

/** `[controllers, path]` of each group: v2 has one without a controller; of v1 only the one for memory matters. */
function groupsOf(proc: string): readonly (readonly [string, string])[] {
  const lines = (read(join(proc, 'self/cgroup')) ?? '').split('\n').map((line) => /^\d+:([^:]*):(.*)$/.exec(line));
  return lines.flatMap((found) => {
    const [, controllers = '', path = '/'] = found ?? [];
    return found !== null && (controllers === '' || controllers.split(',').includes('memory')) ? [[controllers, path] as const] : [];
  });
}

/** A group and all above it. Paths that lead out of what is mounted ('/../x') have the root only. */
function ancestorsOf(path: string): readonly string[] {
  const names = path.split('/').filter(Boolean);
  return names.includes('..') ? ['/'] : ['/', ...names.map((_, at) => `/${names.slice(0, at + 1).join('/')}`)];
}

/** 'max' and what v1 says in place of it (nearly 2^63) are no limits. */
function readLimit(path: string): number {
  const limit = Number((read(path) ?? 'max').trim());
  return Number.isFinite(limit) && limit > 0 ? limit : Number.POSITIVE_INFINITY;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // not Linux, or no such group
  }
}
