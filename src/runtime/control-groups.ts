import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a controller of control groups keeps its files, below /sys/fs/cgroup. */
export interface Hierarchy {
  readonly version: 1 | 2;
  readonly folder: string;
}

/**
 * The group of this process and all above it, of cgroup v2 (docs.kernel.org/admin-guide/cgroup-v2.html) and of a controller of v1. Inside a
 * container the own group is usually mounted as the root.
 * @param proc where /proc is @param sys where /sys is
 */
export function controlGroups(controller: string, proc: string, sys: string): readonly Hierarchy[] {
  return groupsOf(controller, proc).flatMap(([controllers, path]) =>
    ancestorsOf(path).map((group): Hierarchy => {
      if (controllers === '') return { version: 2, folder: join(sys, 'fs/cgroup', group) };
      return { version: 1, folder: join(sys, 'fs/cgroup', controller, group) };
    }),
  );
}

/** What the kernel says in a file of its own; `undefined` where this is not Linux, or there is no such file. */
export function readKernel(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** `[controllers, path]` of each group: v2 has one without a controller; of v1 only the one asked for matters. */
function groupsOf(controller: string, proc: string): readonly (readonly [string, string])[] {
  const lines = (readKernel(join(proc, 'self/cgroup')) ?? '').split('\n').map((line) => /^\d+:([^:]*):(.*)$/.exec(line));
  return lines.flatMap((found) => {
    const [, controllers = '', path = '/'] = found ?? [];
    return found !== null && (controllers === '' || controllers.split(',').includes(controller)) ? [[controllers, path] as const] : [];
  });
}

/** A group and all above it. Paths that lead out of what is mounted ('/../x') have the root only. */
function ancestorsOf(path: string): readonly string[] {
  const names = path.split('/').filter(Boolean);
  return names.includes('..') ? ['/'] : ['/', ...names.map((_, at) => `/${names.slice(0, at + 1).join('/')}`)];
}
