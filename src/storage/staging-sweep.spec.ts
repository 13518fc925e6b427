import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OWNER_PREFIX, SELF } from './staging-owner';
import { sweepStaging } from './staging-sweep';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ELSEWHERE = `${SELF.machine === '00000000' ? '11111111' : '00000000'}-4711-123456-`;

describe(sweepStaging, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'sweep-'));
  let root: string;
  let folder: string;
  let gone: string;

  /** The beginning of the names of a process that has ended. */
  beforeAll(async () => {
    const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
    await once(child, 'spawn');
    const began = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(' ')[21];
    await once(child, 'exit');
    gone = `${SELF.machine}-${child.pid}-${began}-`;
  });

  beforeEach(async () => {
    root = await mkdtemp(join(scratch, 'store-'));
    folder = join(root, '.staging');
    await mkdir(folder);
  });

  afterAll(() => rm(scratch, { recursive: true, force: true }));

  const put = async (name: string, bytes: number, ageMs = 0): Promise<void> => {
    const path = join(folder, name);
    await writeFile(path, Buffer.alloc(bytes));
    const then = new Date(Date.now() - ageMs);
    await utimes(path, then, then);
  };
  const sweep = () => sweepStaging(root, DAY_MS);

  it('takes away what a process left that is gone, however young it is, and says how much', async () => {
    await put(`${gone}a`, 100);
    await put(`${gone}b`, 23);
    expect(await sweep()).toEqual({ files: 2, bytes: 123 });
    expect(await readdir(folder)).toEqual([]);
    expect(await sweep()).toEqual({ files: 0, bytes: 0 });
  });

  it('leaves what a living process writes', async () => {
    await put(`${OWNER_PREFIX}upload`, 100, 23 * HOUR_MS);
    expect(await sweep()).toEqual({ files: 0, bytes: 0 });
    expect(await readdir(folder)).toEqual([`${OWNER_PREFIX}upload`]);
  });

  it.each([
    ['of this process', `${OWNER_PREFIX}upload`],
    ['of another machine', `${ELSEWHERE}upload`],
    ['of nobody', 'notes.txt'],
  ])('takes a file %s by its age, and only by that', async (_whose, name) => {
    await put(name, 7, DAY_MS - 60_000);
    expect(await sweep()).toEqual({ files: 0, bytes: 0 });
    await put(name, 7, DAY_MS + 60_000);
    expect(await sweep()).toEqual({ files: 1, bytes: 7 });
    expect(await readdir(folder)).toEqual([]);
  });

  it('takes a folder that a self-test left whose process is gone', async () => {
    const left = join(folder, `${gone}0c5b2c0e-test-x7Gf2a`);
    await mkdir(left);
    await writeFile(join(left, 'a'), 'a');
    expect((await sweep()).files).toBe(1);
    expect(await readdir(folder)).toEqual([]);
  });

  it('takes a link for itself, not for what it points at', async () => {
    const outside = join(root, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'kept'), 'x'.repeat(5000));
    await utimes(outside, new Date(0), new Date(0));
    await symlink(outside, join(folder, 'link-of-somebody'));
    await symlink(outside, join(folder, `${gone}link`));
    await symlink('nowhere', join(folder, `${gone}dangling`));
    expect((await sweep()).files).toBe(2);
    expect(await readdir(folder)).toEqual(['link-of-somebody']);
    expect(await readdir(outside)).toEqual(['kept']);
  });

  it('touches nothing outside the staging area', async () => {
    await mkdir(join(root, 'log'));
    for (const place of [root, join(root, 'log')]) {
      await writeFile(join(place, `${gone}x`), 'x');
      await utimes(join(place, `${gone}x`), new Date(0), new Date(0));
    }
    await sweep();
    for (const place of [root, join(root, 'log')]) expect((await lstat(join(place, `${gone}x`))).isFile()).toBe(true);
  });

  it('finds nothing where there is no staging area, and makes none', async () => {
    await rm(folder, { recursive: true });
    expect(await sweep()).toEqual({ files: 0, bytes: 0 });
    expect(await readdir(root)).toEqual([]);
  });

  it('does not mind others who sweep at the same time', async () => {
    for (let at = 0; at < 50; at++) await put(`${gone}${at}`, 1);
    await Promise.all([sweep(), sweep(), sweep(), sweep()]);
    expect(await readdir(folder)).toEqual([]);
  });

  it('passes on what the disk refuses', async () => {
    await rm(folder, { recursive: true });
    await writeFile(folder, 'a file where the folder should be');
    await expect(sweep()).rejects.toMatchObject({ code: 'ENOTDIR' });
  });
});
