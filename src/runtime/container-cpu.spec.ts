import { mkdtempSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { containerCpuCores } from './container-cpu';

const OWN = 'proc/self/cgroup';
const V2 = 'sys/fs/cgroup';
const V1 = 'sys/fs/cgroup/cpu';

describe(containerCpuCores, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'container-cpu-'));
  afterAll(() => rm(scratch, { recursive: true }));

  /** What is said on a machine that has only these files of /proc and /sys. */
  async function on(files: Readonly<Record<string, string>>): Promise<number> {
    const root = await mkdtemp(join(scratch, 'machine-'));
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, name)), { recursive: true });
      await writeFile(join(root, name), `${content}\n`);
    }
    return containerCpuCores(join(root, 'proc'), join(root, 'sys'));
  }

  it('is the quota of the own group, of v2', async () => {
    expect(await on({ [OWN]: '0::/a', [`${V2}/a/cpu.max`]: '50000 100000' })).toBe(0.5);
  });

  it('is that of a group above where that is smaller, or the own one says "max"', async () => {
    const above = { [`${V2}/a/cpu.max`]: '25000 100000' };
    expect(await on({ [OWN]: '0::/a/b', [`${V2}/a/b/cpu.max`]: '50000 100000', ...above })).toBe(0.25);
    expect(await on({ [OWN]: '0::/a/b', [`${V2}/a/b/cpu.max`]: 'max 100000', ...above })).toBe(0.25);
  });

  it.each(['cpu', 'cpu,cpuacct', 'cpuacct,cpu'])('is the quota of the own group, of v1 with the controllers %s', async (controllers) => {
    const others = { [`${V1}/p/cpu.cfs_quota_us`]: '10000', [`${V1}/p/cpu.cfs_period_us`]: '100000' };
    const own = { [`${V1}/a/cpu.cfs_quota_us`]: '15000', [`${V1}/a/cpu.cfs_period_us`]: '20000' };
    expect(await on({ [OWN]: `5:memory:/p\n4:cpuset:/p\n3:${controllers}:/a`, ...own, ...others })).toBe(0.75);
  });

  it.each<readonly [string, Readonly<Record<string, string>>]>([
    ['no /proc and no /sys', {}],
    ['a group without a quota', { [OWN]: '0::/a', [`${V2}/a/cpu.max`]: 'max 100000' }],
    ['what v1 says in place of one', { [OWN]: '3:cpu:/a', [`${V1}/a/cpu.cfs_quota_us`]: '-1', [`${V1}/a/cpu.cfs_period_us`]: '100000' }],
    ['a quota beyond what the machine has', { [OWN]: '0::/', [`${V2}/cpu.max`]: '99900000 100000' }],
    ...['', 'nonsense', '0 100000', '50000 0', '50000', '-1 100000', '1e999 1'].map(
      (words) => [`a quota of ${JSON.stringify(words)}`, { [OWN]: '0::/', [`${V2}/cpu.max`]: words }] as const,
    ),
  ])('is the number of processors where there is %s', async (_what, files) => {
    expect(await on(files)).toBe(availableParallelism());
  });
});
