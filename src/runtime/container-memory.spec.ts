import { mkdtempSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { containerMemoryBytes } from './container-memory';

const MIB = 2 ** 20;
/** What v1 says where there is no limit: the last page below 2^63. */
const NO_LIMIT = '9223372036854771712\n';
const OWN = 'proc/self/cgroup';
const V2 = 'sys/fs/cgroup';
const V1 = 'sys/fs/cgroup/memory';

describe(containerMemoryBytes, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'container-memory-'));
  afterAll(() => rm(scratch, { recursive: true }));

  /** What is said on a machine that has only these files of /proc and /sys. */
  async function on(files: Readonly<Record<string, string | number>>): Promise<number> {
    const root = await mkdtemp(join(scratch, 'machine-'));
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, name)), { recursive: true });
      await writeFile(join(root, name), typeof content === 'number' ? `${content}\n` : content);
    }
    return containerMemoryBytes(join(root, 'proc'), join(root, 'sys'));
  }

  describe('with cgroup v2', () => {
    it('is the limit of the own group', async () => {
      expect(await on({ [OWN]: '0::/a/b\n', [`${V2}/a/b/memory.max`]: 64 * MIB })).toBe(64 * MIB);
    });

    it.each(['/a', '/a/b', '/a/b/c'])('is the limit of %s where that is the smallest of /a/b/c and those above it', async (smallest) => {
      const limits = ['/a', '/a/b', '/a/b/c'].map((group) => [`${V2}${group}/memory.max`, group === smallest ? 32 * MIB : 64 * MIB]);
      expect(await on({ [OWN]: '0::/a/b/c\n', ...Object.fromEntries(limits) })).toBe(32 * MIB);
    });

    it('is that of a group above where the own group says "max"', async () => {
      expect(await on({ [OWN]: '0::/a/b\n', [`${V2}/a/b/memory.max`]: 'max\n', [`${V2}/a/memory.max`]: 48 * MIB })).toBe(48 * MIB);
    });

    it('takes no notice of groups beside and below the own one', async () => {
      const others = { [`${V2}/a/b/c/memory.max`]: MIB, [`${V2}/a/c/memory.max`]: MIB, [`${V2}/b/memory.max`]: MIB };
      expect(await on({ [OWN]: '0::/a/b\n', [`${V2}/a/b/memory.max`]: 64 * MIB, ...others })).toBe(64 * MIB);
    });

    it('is the limit of what is mounted as the root, inside a container', async () => {
      expect(await on({ [OWN]: '0::/\n', [`${V2}/memory.max`]: 64 * MIB })).toBe(64 * MIB);
    });

    it('is the limit of the root where the own group has a path that only the host knows', async () => {
      expect(await on({ [OWN]: '0::/docker/0123abcd\n', [`${V2}/memory.max`]: 64 * MIB })).toBe(64 * MIB);
    });

    it.each(['/../x', '/a/../x', '/a/../../x', '/..'])('follows no path that leads out of what is mounted (%s)', async (path) => {
      const outside = { 'sys/fs/x/memory.max': MIB, 'sys/x/memory.max': MIB, 'sys/fs/memory.max': MIB, [`${V2}/x/memory.max`]: MIB };
      expect(await on({ [OWN]: `0::${path}\n`, [`${V2}/memory.max`]: 64 * MIB, ...outside })).toBe(64 * MIB);
    });

    it('reads a path with a colon', async () => {
      expect(await on({ [OWN]: '0::/a:b\n', [`${V2}/a:b/memory.max`]: 64 * MIB })).toBe(64 * MIB);
    });
  });

  describe('with cgroup v1', () => {
    const own = (memory: string, path: string) => `12:pids:/p\n5:${memory}:${path}\n3:cpu,cpuacct:/p\n1:name=systemd:/p\n`;

    it.each(['memory', 'memory,hugetlb', 'cpuset,memory'])('is the limit in the hierarchy of the controllers %s', async (controllers) => {
      const others = { [`${V1}/p/memory.limit_in_bytes`]: MIB };
      const limit = { [`${V1}/a/b/memory.limit_in_bytes`]: 64 * MIB };
      expect(await on({ [OWN]: own(controllers, '/a/b'), ...limit, ...others })).toBe(64 * MIB);
    });

    it('is the smallest of the own group and those above it, where the hugest number stands for none', async () => {
      const limits = {
        [`${V1}/memory.limit_in_bytes`]: NO_LIMIT,
        [`${V1}/a/memory.limit_in_bytes`]: 32 * MIB,
        [`${V1}/a/b/memory.limit_in_bytes`]: NO_LIMIT,
      };
      expect(await on({ [OWN]: own('memory', '/a/b'), ...limits })).toBe(32 * MIB);
    });

    it('is the limit of what is mounted as the root, inside a container', async () => {
      const limits = { [`${V1}/memory.limit_in_bytes`]: 64 * MIB };
      expect(await on({ [OWN]: own('memory', '/docker/0123abcd'), ...limits })).toBe(64 * MIB);
      expect(await on({ [OWN]: own('memory', '/'), ...limits })).toBe(64 * MIB);
    });

    it('is all of the machine’s where there is the hugest number everywhere', async () => {
      expect(await on({ [OWN]: own('memory', '/a'), [`${V1}/a/memory.limit_in_bytes`]: NO_LIMIT })).toBe(totalmem());
    });

    it('takes no notice of a controller whose name only begins like that', async () => {
      expect(await on({ [OWN]: own('memory2', '/a'), [`${V1}/a/memory.limit_in_bytes`]: MIB })).toBe(totalmem());
    });
  });

  it.each([
    ['v1', 32 * MIB, 64 * MIB],
    ['v2', 64 * MIB, 32 * MIB],
  ])('is the smaller limit where a machine has both, and that is of %s', async (_which, v1, v2) => {
    const limits = { [`${V1}/a/memory.limit_in_bytes`]: v1, [`${V2}/s/memory.max`]: v2 };
    expect(await on({ [OWN]: '4:memory:/a\n1:name=systemd:/s\n0::/s\n', ...limits })).toBe(32 * MIB);
  });

  it('is the limit of v1 where the groups of v2 have no memory controller', async () => {
    expect(await on({ [OWN]: '4:memory:/a\n0::/s\n', [`${V1}/a/memory.limit_in_bytes`]: 64 * MIB })).toBe(64 * MIB);
  });

  it.each([
    ['no /proc and no /sys', {}],
    ['no group of its own', { [OWN]: '', [`${V2}/memory.max`]: MIB }],
    ['a group of which nothing is mounted', { [OWN]: '0::/a\n' }],
    ['lines that are none', { [OWN]: 'nonsense\n::\n0:/a\n-1::/\n', [`${V2}/memory.max`]: MIB }],
    ['a folder in place of the limit', { [OWN]: '0::/\n', [`${V2}/memory.max/x`]: MIB }],
    ['a limit beyond what the machine has', { [OWN]: '0::/\n', [`${V2}/memory.max`]: 2 ** 60 }],
  ])('is all of the machine’s where there is %s', async (_what, files) => {
    expect(await on(files)).toBe(totalmem());
  });

  it.each(['', '\n', 'max', 'nonsense', '-1', '0', 'NaN', '-Infinity', 'Infinity', '1e999', '12 34', '64M', '\0'])(
    'takes a limit of %j for none',
    async (nonsense) => {
      expect(await on({ [OWN]: '0::/a\n', [`${V2}/a/memory.max`]: nonsense })).toBe(totalmem());
      expect(await on({ [OWN]: '2:memory:/a\n', [`${V1}/a/memory.limit_in_bytes`]: nonsense })).toBe(totalmem());
      const above = { [`${V2}/memory.max`]: 64 * MIB };
      expect(await on({ [OWN]: '0::/a\n', [`${V2}/a/memory.max`]: nonsense, ...above })).toBe(64 * MIB);
    },
  );

  it('is a number of bytes on the machine that this runs on', () => {
    const bytes = containerMemoryBytes();
    expect(bytes).toBeGreaterThan(MIB);
    expect(bytes).toBeLessThanOrEqual(totalmem());
  });
});
