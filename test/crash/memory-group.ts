import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { until } from '../process/processes';

const ROOT = '/sys/fs/cgroup';

/** The files of a control group, in both versions of the kernel's interface. */
const V2 = { root: ROOT, limit: 'memory.max', swap: 'memory.swap.max', kills: 'memory.events', peak: 'memory.peak' } as const;
const V1 = {
  root: join(ROOT, 'memory'),
  limit: 'memory.limit_in_bytes',
  swap: 'memory.memsw.limit_in_bytes',
  kills: 'memory.oom_control',
  peak: 'memory.max_usage_in_bytes',
} as const;

/** A control group that limits the memory of processes as a container does. Linux, root. */
export class MemoryGroup {
  private constructor(
    private readonly path: string,
    private readonly own: string,
    private readonly files: typeof V1 | typeof V2,
  ) {}

  /** Makes a group under the own one, or under the nearest above it that allows it. @throws where none does */
  static create(bytes: number): MemoryGroup {
    const { files, own } = ownGroup();
    let refusal: unknown;
    for (let parent = own; parent.startsWith(files.root); parent = dirname(parent)) {
      const path = join(parent, `analytics-api-${process.pid}`);
      try {
        mkdirSync(path);
        writeFileSync(join(path, files.limit), String(bytes));
        write(path, files.swap, files === V2 ? '0' : String(bytes)); // some kernels count no swap
        return new MemoryGroup(path, own, files);
      } catch (error) {
        refusal = error;
        remove(path);
      }
    }
    throw refusal;
  }

  /** Starts something as a member of the group: what it starts itself is one too. @param start starts it before it returns */
  start<T>(start: () => T): T {
    writeFileSync(join(this.path, 'cgroup.procs'), String(process.pid));
    try {
      return start();
    } finally {
      writeFileSync(join(this.own, 'cgroup.procs'), String(process.pid));
    }
  }

  /** How often the kernel has killed a member for want of memory. */
  get kills(): number {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync(join(this.path, this.files.kills), 'utf8'))?.[1]);
  }

  /** The most that the members had at a time, bytes; NaN where the kernel does not tell. */
  get peakBytes(): number {
    try {
      return Number(readFileSync(join(this.path, this.files.peak), 'utf8'));
    } catch {
      return Number.NaN;
    }
  }

  /** When every member has ended. */
  async remove(): Promise<void> {
    await until('the group has no member', () => readFileSync(join(this.path, 'cgroup.procs'), 'utf8').trim() === '');
    rmdirSync(this.path);
  }
}

/** `describe` where such groups can be had, else one that skips and says so: `[describe, what to add to the title]`. */
export function describeLimited(): readonly [jest.Describe, string] {
  const why = lack();
  return why === undefined ? [describe, ''] : [describe.skip, ` (SKIPPED: ${why})`];
}

/** A machine that tests for others must not hide that its groups are broken where its root may make some. */
function lack(): string | undefined {
  if (process.platform !== 'linux') return 'this is not Linux';
  if (process.getuid?.() !== 0) return 'this user may not make control groups';
  try {
    mkdirSync(join(ownGroup().files.root, `analytics-api-probe-${process.pid}`));
    rmdirSync(join(ownGroup().files.root, `analytics-api-probe-${process.pid}`));
    return undefined;
  } catch {
    return 'root may not make control groups here';
  }
}

function ownGroup(): { readonly files: typeof V1 | typeof V2; readonly own: string } {
  const groups = readFileSync('/proc/self/cgroup', 'utf8');
  const v1 = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(groups)?.[1];
  return v1 === undefined ? { files: V2, own: join(ROOT, /^0::(.*)$/m.exec(groups)?.[1] ?? '/') } : { files: V1, own: join(V1.root, v1) };
}

function write(path: string, name: string, value: string): void {
  try {
    writeFileSync(join(path, name), value);
  } catch {
    // the kernel has no such file
  }
}

function remove(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // it was never made
  }
}
