import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const COMMAND_MS = 20_000;
const MIB = 2 ** 20;
const FAULTS_MENDED = 1;

const run = (command: string, ...args: readonly string[]): Promise<{ readonly stdout: string }> =>
  promisify(execFile)(command, args, { timeout: COMMAND_MS, maxBuffer: 16 * MIB });

/** File systems that a test mounts, so that none outlives it. Whoever makes one removes it, when every process on it has ended. */
export class Volumes {
  private folder: string | undefined;
  private readonly mounted: string[] = [];
  private made = 0;

  /** A file system in memory. @param options as `mount -t tmpfs -o` takes them @returns where it is mounted */
  tmpfs(...options: readonly string[]): Promise<string> {
    return this.mount('-t', 'tmpfs', '-o', ['mode=0755', ...options].join(','), 'tmpfs');
  }

  /** The ext4 in a file. @param options as `mount -o` takes them @returns where it is mounted */
  ext4(image: string, ...options: readonly string[]): Promise<string> {
    return this.mount('-t', 'ext4', '-o', ['loop', ...options].join(','), image);
  }

  /** Waits for a volume that is still in use; one that stays so is taken out of the tree all the same. */
  async unmount(path: string): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        await run('umount', ...(attempt < 20 ? [] : ['--lazy']), path);
        break;
      } catch (error) {
        if (attempt >= 20) throw error;
        await sleep(50);
      }
    }
    this.mounted.splice(this.mounted.indexOf(path), 1);
    rmSync(path, { recursive: true });
  }

  async remove(): Promise<void> {
    for (const path of [...this.mounted].reverse()) await this.unmount(path);
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true });
    this.folder = undefined;
  }

  private async mount(...args: readonly string[]): Promise<string> {
    this.folder ??= mkdtempSync(join(tmpdir(), 'analytics-api-volumes-'));
    const path = join(this.folder, String(++this.made));
    mkdirSync(path);
    await run('mount', ...args, path);
    this.mounted.push(path);
    return path;
  }
}

/** Makes an empty ext4 in a sparse file. Nothing is left for the kernel to write by itself when nobody expects it. */
export async function formatExt4(image: string, mebibytes: number, journal: boolean): Promise<void> {
  await run('truncate', '--size', String(mebibytes * MIB), image);
  const features = journal ? [] : ['-O', '^has_journal'];
  await run('mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', ...features, image);
}

/**
 * Brings an ext4 back to order that has no journal to replay.
 * @returns false where a name was taken away or became another thing's: a removed name whose removal no flush had reached came back,
 * and its inode was a folder's by then, of which e2fsck leaves only one name; or the other way round. No order of flushes saves a
 * program from that. @throws where nothing can be mended
 */
export async function repairExt4(image: string): Promise<boolean> {
  const said = await run('e2fsck', '-f', '-y', image).catch((error: { readonly code?: number; readonly stdout: string }) => {
    if (error.code !== FAULTS_MENDED) throw error;
    return error;
  });
  return !/is a link to directory|has an incorrect filetype/.test(said.stdout);
}

/** What the kernel has written to the device of a volume so far: it changes with every write. @param path where an ext4 is mounted */
export function writesOf(path: string): string {
  const device = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, at]) => at === path)?.[0];
  if (device === undefined) throw new Error(`nothing is mounted at ${path}`);
  const figures = readFileSync(`/sys/block/${device.slice('/dev/'.length)}/stat`, 'utf8')
    .trim()
    .split(/\s+/);
  return [4, 6, 8].map((at) => figures[at]).join(' '); // writes done, sectors written, requests in flight
}

/** Why a user cannot have such volumes here; `undefined` where everything that they need is there, so that a failure is one. */
function lack(kind: 'tmpfs' | 'ext4'): string | undefined {
  if (process.platform !== 'linux') return 'this is not Linux';
  if (process.getuid?.() !== 0) return 'this user may not mount';
  if (kind === 'ext4' && !existsSync('/dev/loop-control')) return 'there are no loop devices';
  if (kind === 'ext4' && !worksAtAll('mkfs.ext4', '-V')) return 'there are no tools for ext4';
  // root in a container may lack the right; a machine that tests for others and has loop devices must not hide that they are broken
  const mustWork = process.env['CI'] !== undefined && existsSync('/dev/loop-control');
  return mustWork || mayMount() ? undefined : 'root may not mount here';
}

/** `describe` where such volumes can be had, else one that skips and says so: `[describe, what to add to the title]`. */
export function describeOn(kind: 'tmpfs' | 'ext4'): readonly [jest.Describe, string] {
  const why = lack(kind);
  return why === undefined ? [describe, ''] : [describe.skip, ` (SKIPPED: ${why})`];
}

function mayMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'analytics-api-mount-'));
  try {
    return worksAtAll('mount', '-t', 'tmpfs', 'tmpfs', folder) && worksAtAll('umount', folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function worksAtAll(command: string, ...args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: COMMAND_MS });
    return true;
  } catch {
    return false;
  }
}
