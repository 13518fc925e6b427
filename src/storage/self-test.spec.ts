import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import fs, { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describeOn, Volumes } from '../../test/crash/power-cut-volumes';
import { DurableFiles } from './durable-files';
import { testFileSystem } from './self-test';

const SOUND = {
  hardLinks: 'ok',
  exclusiveCreation: 'ok',
  folderFlush: 'ok',
  readAfterWrite: 'ok',
  atomicReplace: 'ok',
  caseSensitive: true,
  safe: true,
};
const COULD_NOT_TRY = (reason: RegExp) => {
  const found = expect.stringMatching(reason);
  return {
    ...SOUND,
    hardLinks: found,
    exclusiveCreation: found,
    folderFlush: found,
    readAfterWrite: found,
    atomicReplace: found,
    safe: false,
  };
};

function refused(code: string): Error {
  return Object.assign(new Error(`${code}: refused by the file system`), { code });
}

describe(testFileSystem, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'self-test-'));
  let root: string;
  let files: DurableFiles;

  beforeEach(async () => {
    root = await mkdtemp(join(scratch, 'store-'));
    files = new DurableFiles(root);
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });
  afterAll(() => rm(scratch, { recursive: true, force: true }));

  const staged = () => readdir(join(root, '.staging'));

  it('finds a real file system safe, and leaves nothing on it', async () => {
    expect(await testFileSystem(files)).toEqual(SOUND);
    expect(await staged()).toEqual([]);
    expect(await readdir(root)).toEqual(['.staging']);
  });

  it('may be done by many at once', async () => {
    const results = await Promise.all(Array.from({ length: 8 }, () => testFileSystem(new DurableFiles(root))));
    for (const result of results) expect(result).toEqual(SOUND);
    expect(await staged()).toEqual([]);
  });

  it('works in a folder whose name tells whose it is, so that a sweep finds what a kill leaves', async () => {
    const make = jest.spyOn(fs, 'mkdtemp');
    await testFileSystem(files);
    expect(basename(make.mock.calls[0]?.[0] as string)).toMatch(new RegExp(`^[0-9a-f]{8}-${process.pid}-[0-9]+-[0-9a-f-]{36}-test-$`));
  });

  const { link, open, rename, writeFile: write, readFile, stat, copyFile } = fs;
  it.each<[string, () => void, object]>([
    [
      'has no hard links',
      () => jest.spyOn(fs, 'link').mockRejectedValue(refused('EPERM')),
      { hardLinks: 'EPERM: refused by the file system', exclusiveCreation: 'EPERM: refused by the file system' },
    ],
    [
      'does not support hard links',
      () => jest.spyOn(fs, 'link').mockRejectedValue(refused('EOPNOTSUPP')),
      { hardLinks: expect.stringContaining('EOPNOTSUPP'), exclusiveCreation: expect.stringContaining('EOPNOTSUPP') },
    ],
    [
      'copies where it should link',
      () => jest.spyOn(fs, 'link').mockImplementation((from, to) => copyFile(from, to, fs.constants.COPYFILE_EXCL)),
      { hardLinks: 'a linked file has 1 names' },
    ],
    [
      'gives a taken name away by a link',
      () => jest.spyOn(fs, 'link').mockImplementation((from, to) => rm(to, { force: true }).then(() => link(from, to))),
      { exclusiveCreation: 'a taken name was given again' },
    ],
    [
      'gives a taken name away to an exclusive creation, as old NFS does',
      () => jest.spyOn(fs, 'open').mockImplementation((path, flags, mode) => open(path, flags === 'wx' ? 'w' : flags, mode)),
      { exclusiveCreation: 'a taken name was given again' },
    ],
    [
      'cannot flush a folder',
      () => jest.spyOn(DurableFiles.prototype, 'flushFolder').mockRejectedValue(refused('EINVAL')),
      { folderFlush: 'EINVAL: refused by the file system' },
    ],
    [
      'reads something else than was written',
      () =>
        jest.spyOn(fs, 'readFile').mockImplementation((async (path: string, options?: object) => {
          const bytes = await readFile(path, options);
          return typeof bytes === 'string' ? bytes : bytes.map((byte) => byte ^ 1);
        }) as never),
      { readAfterWrite: 'what was written was not read back' },
    ],
    [
      'loses the end of what is larger than a page',
      () =>
        jest
          .spyOn(fs, 'writeFile')
          .mockImplementation((path, bytes) => write(path, typeof bytes === 'string' ? bytes : (bytes as Buffer).subarray(0, 4096))),
      { readAfterWrite: 'what was written was not read back' },
    ],
    [
      'does not rename over a name that is taken',
      () => jest.spyOn(fs, 'rename').mockRejectedValue(refused('EEXIST')),
      { atomicReplace: 'EEXIST: refused by the file system' },
    ],
    [
      'forgets what it renamed',
      () => jest.spyOn(fs, 'rename').mockImplementation((from) => rename(from, `${String(from)}-elsewhere`)),
      { atomicReplace: 'a renamed file did not take the place of another' },
    ],
  ])('says of a file system that %s what it lacks, in its own words, and that it is not safe', async (_lack, take, findings) => {
    take();
    expect(await testFileSystem(files)).toEqual({ ...SOUND, ...findings, safe: false });
    jest.restoreAllMocks();
    expect(await staged()).toEqual([]);
  });

  it('tells a file system that does not tell capitals apart, which is no danger', async () => {
    jest.spyOn(fs, 'stat').mockImplementation((path) => stat(String(path).replace(/A$/, 'a')));
    expect(await testFileSystem(files)).toEqual({ ...SOUND, caseSensitive: false });
  });

  it('keeps short what a file system says at length', async () => {
    jest.spyOn(fs, 'rename').mockRejectedValue(new Error('x'.repeat(10_000)));
    expect((await testFileSystem(files)).atomicReplace).toHaveLength(200);
  });

  it.each(['EROFS', 'ENOSPC', 'EACCES', 'EDQUOT'])('never throws, also where it may make no folder (%s)', async (code) => {
    jest.spyOn(fs, 'mkdtemp').mockRejectedValue(refused(code));
    expect(await testFileSystem(files)).toEqual(COULD_NOT_TRY(new RegExp(`^${code}`)));
  });

  it('never throws, also where it may not take its folder away', async () => {
    jest.spyOn(fs, 'rm').mockRejectedValue(refused('EBUSY'));
    expect(await testFileSystem(files)).toEqual(SOUND);
  });

  it('finds that the root is no folder', async () => {
    await writeFile(join(root, 'file'), '');
    expect(await testFileSystem(new DurableFiles(join(root, 'file')))).toEqual(COULD_NOT_TRY(/ENOTDIR|EEXIST/));
  });
});

const [describeHere, note] = describeOn('tmpfs');

describeHere(`the self-test on real volumes${note}`, () => {
  const volumes = new Volumes();
  afterAll(() => volumes.remove());

  it('finds that a volume is read-only', async () => {
    const root = await volumes.tmpfs('size=1m');
    await mkdir(join(root, '.staging')); // where it would be new, Node calls a read-only volume ENOENT
    execFileSync('mount', ['-o', 'remount,ro', root]);
    expect(await testFileSystem(new DurableFiles(root))).toEqual(COULD_NOT_TRY(/^EROFS/));
  });

  it('finds that a volume is full', async () => {
    const root = await volumes.tmpfs('size=64k');
    await writeFile(join(root, 'others'), Buffer.alloc(2 ** 17)).catch(() => {});
    const result = await testFileSystem(new DurableFiles(root));
    expect(result).toMatchObject({ safe: false, readAfterWrite: expect.stringMatching(/^ENOSPC/) });
    expect(await readdir(join(root, '.staging'))).toEqual([]);
  });

  it('finds that a volume has no names left', async () => {
    const root = await volumes.tmpfs('size=1m,nr_inodes=4');
    expect(await testFileSystem(new DurableFiles(root))).toMatchObject({
      safe: false,
      exclusiveCreation: expect.stringMatching(/^ENOSPC/),
    });
  });
});
