import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { blobStoreContract } from '../../test/contracts/blob-store.contract';
import type { BlobInfo, StagedBlob } from './blob-store.port';
import { FileBlobStore } from './file-blob.store';
import { sweepStaging } from './staging-sweep';
import { BlobMissing, NoSpace, SourceTooLarge } from './storage.errors';

const scratch = mkdtempSync(join(tmpdir(), 'blobs-'));
const freshFolder = (): Promise<string> => mkdtemp(join(scratch, 'store-'));
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe(FileBlobStore.name, () => blobStoreContract(async () => new FileBlobStore(await freshFolder())));

describe(`${FileBlobStore.name} on disk`, () => {
  // of the bytes 'bytes'
  const DIGEST = '277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9';
  const PATH = join('blobs', 'sha256', '27', DIGEST);

  let root: string;
  let store: FileBlobStore;

  const stage = (content: string, maxBytes = 2 ** 20): Promise<StagedBlob> => store.stage(Readable.from([Buffer.from(content)]), maxBytes);
  const put = async (content: string, name?: string): Promise<BlobInfo> => {
    const staged = await stage(content);
    try {
      return await store.put(staged, name);
    } finally {
      await staged.discard();
    }
  };
  const list = (): Promise<BlobInfo[]> => Readable.from(store.list()).toArray();
  const files = async (folder = root): Promise<string[]> => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => !entry.isDirectory()).map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  };
  const damage = async (path: string, how: (path: string) => Promise<void>): Promise<void> => {
    await chmod(path, 0o644);
    await how(path);
    await chmod(path, 0o444);
  };

  beforeEach(async () => {
    root = await freshFolder();
    store = new FileBlobStore(root);
  });

  it('keeps a blob under the first two digits of its name, read-only, and nothing else', async () => {
    await put('bytes');
    expect(await files()).toEqual([PATH]);
    expect(await readFile(join(root, PATH), 'utf8')).toBe('bytes');
    // what this user's umask takes away it takes away everywhere
    expect((await stat(join(root, PATH))).mode & 0o777).toBe(0o444 & ~process.umask());
  });

  it('keeps a renewed blob beside the condemned one', async () => {
    await put('bytes');
    await put('bytes', `${DIGEST}.12`);
    expect((await files()).sort()).toEqual([PATH, `${PATH}.12`]);
  });

  it('puts a blob while somebody takes the taken name away', async () => {
    const staged = await stage('bytes');
    for (let round = 0; round < 100; round++) {
      await store.put(staged);
      await Promise.all([store.put(staged), store.remove(DIGEST)]);
    }
    await staged.discard();
    await put('bytes');
    expect(await files()).toEqual([PATH]);
  });

  it('makes a folder again that somebody took away', async () => {
    await put('bytes');
    await rm(join(root, 'blobs'), { recursive: true });
    await put('bytes');
    expect(await files()).toEqual([PATH]);
  });

  it('makes its folder with the first blob', async () => {
    root = join(root, 'not', 'there', 'yet');
    store = new FileBlobStore(root);
    expect(await list()).toMatchObject([]);
    await put('bytes');
    expect(await files()).toEqual([PATH]);
  });

  it('stages in a folder of the same tree, under a name that tells the process', async () => {
    const { path } = await stage('bytes');
    expect(relative(root, path)).toMatch(new RegExp(`^\\.staging/[0-9a-f]{8}-${process.pid}-`));
  });

  it('leaves nothing in the staging area when the source fails', async () => {
    const failing = async function* (): AsyncIterable<Uint8Array> {
      yield Buffer.from('half');
      throw new Error('client went away');
    };
    await expect(store.stage(failing(), 100)).rejects.toThrow('client went away');
    expect(await files()).toEqual([]);
  });

  it('leaves nothing in the staging area when the source is too large', async () => {
    await expect(stage('123456', 5)).rejects.toBeInstanceOf(SourceTooLarge);
    expect(await files()).toEqual([]);
  });

  it.each([
    ['with a slash at its end', (folder: string) => `${folder}/`],
    ['relative', (folder: string) => relative(process.cwd(), folder)],
    ['relative to ".", said aloud', (folder: string) => `./${relative(process.cwd(), folder)}`],
    ['through a parent', (folder: string) => `${folder}/x/..`],
  ])('works in a folder that is named %s', async (_how, name) => {
    store = new FileBlobStore(name(root));
    await put('bytes');
    expect(await files()).toEqual([PATH]);
    expect(await list()).toMatchObject([{ name: DIGEST, bytes: 5 }]);
  });

  it('serves what an earlier process stored', async () => {
    await put('bytes');
    const later = new FileBlobStore(root);
    expect(await text(await later.open(DIGEST))).toBe('bytes');
  });

  describe('healing', () => {
    it.each([
      ['flipped', (path: string) => writeFile(path, 'bytez'), 'bytez'],
      ['cut off', (path: string) => truncate(path, 3), 'byt'],
      ['emptied', (path: string) => truncate(path, 0), ''],
      ['added', (path: string) => writeFile(path, 'bytes!'), 'bytes!'],
    ])('replaces a blob with bytes %s when the good ones are put, and keeps the damaged ones for people', async (_how, how, damaged) => {
      await put('bytes');
      await damage(join(root, PATH), how);
      expect(await put('bytes')).toEqual({ name: DIGEST, bytes: 5 });
      expect(await text(await store.open(DIGEST))).toBe('bytes');
      expect((await stat(join(root, PATH))).mode & 0o222).toBe(0);

      const [kept, ...more] = await readdir(join(root, '.quarantine'));
      expect(kept).toMatch(new RegExp(`^${DIGEST}-[0-9]+$`));
      expect(more).toEqual([]);
      expect(await readFile(join(root, '.quarantine', kept!), 'utf8')).toBe(damaged);
      expect(await list()).toMatchObject([{ name: DIGEST, bytes: 5 }]);
      expect(await readdir(join(root, '.staging'))).toEqual([]);
    });

    it('puts nothing into quarantine when the stored bytes are good', async () => {
      await put('bytes');
      await put('bytes');
      expect(await files()).toEqual([PATH]);
    });

    it('holds on to no damaged bytes, and leaves nothing behind', async () => {
      await put('bytes');
      await damage(join(root, PATH), (path) => writeFile(path, 'bytez'));
      await expect(store.retain(DIGEST)).rejects.toBeInstanceOf(BlobMissing);
      expect(await readdir(join(root, '.staging'))).toEqual([]);
    });

    it('holds on to old bytes as if they had just arrived: no sweep takes them for what was left behind', async () => {
      await put('bytes');
      await utimes(join(root, PATH), 0, 0);
      const held = await store.retain(DIGEST);
      expect(await sweepStaging(root, 3_600_000)).toEqual({ files: 0, bytes: 0 });
      await held.discard();
    });

    it('heals a damaged blob that many put at the same time', async () => {
      await put('bytes');
      await damage(join(root, PATH), (path) => writeFile(path, 'bytez'));
      await Promise.all(Array.from({ length: 8 }, () => put('bytes')));
      expect(await text(await store.open(DIGEST))).toBe('bytes');
      expect(await list()).toMatchObject([{ name: DIGEST, bytes: 5 }]);
    });

    it.each([
      ['a folder', (path: string) => mkdir(path)],
      ['a pipe that nobody writes to', (path: string) => void execFileSync('mkfifo', [path])],
      ['a link to a file of the same bytes', (path: string) => symlink(join(root, 'elsewhere'), path)],
      ['a link into nowhere', (path: string) => symlink('nowhere', path)],
      ['a link to itself', (path: string) => symlink(path, path)],
    ])('takes the name from %s, keeps that for people, and waits for nothing', async (_what, make) => {
      await writeFile(join(root, 'elsewhere'), 'bytes');
      await put('bytes');
      await rm(join(root, PATH));
      await make(join(root, PATH));
      await expect(store.open(DIGEST)).rejects.toBeInstanceOf(BlobMissing);
      await put('bytes');
      expect(await text(await store.open(DIGEST))).toBe('bytes');
      expect((await lstat(join(root, PATH))).isFile()).toBe(true);
      expect(await readdir(join(root, '.quarantine'))).toEqual([expect.stringMatching(new RegExp(`^${DIGEST}-[0-9]+$`))]);
    });

    it('lets a reader who has a damaged blob open read on', async () => {
      await put('bytes');
      await damage(join(root, PATH), (path) => writeFile(path, 'bytez'));
      const opened = await store.open(DIGEST);
      await put('bytes');
      expect(await text(opened)).toBe('bytez');
    });
  });

  it('keeps the bytes of a blob in quarantine', async () => {
    await put('bytes');
    await store.quarantine(DIGEST);
    const [kept] = await readdir(join(root, '.quarantine'));
    expect(await readFile(join(root, '.quarantine', kept!), 'utf8')).toBe('bytes');
    expect(await files(join(root, 'blobs'))).toEqual([]);
  });

  it('passes over what is no blob', async () => {
    const blob = await put('bytes');
    const folder = dirname(join(root, PATH));
    const others = join(root, 'blobs', 'sha256');
    const like = (first: string): string => first.padEnd(64, '0');
    await writeFile(join(folder, 'README.txt'), 'x');
    await writeFile(join(folder, '.DS_Store'), 'x');
    await writeFile(join(folder, `.${like('27aa')}`), 'x');
    await writeFile(join(folder, `${like('27aa')}.tmp`), 'x');
    await writeFile(join(folder, `${like('27aa')}.`), 'x');
    await writeFile(join(folder, like('27AA')), 'x');
    await writeFile(join(folder, like('27aa').slice(1)), 'x');
    await writeFile(join(folder, like('aa')), 'in the folder of other digits');
    await mkdir(join(folder, like('27bb')));
    await symlink(join(root, PATH), join(folder, like('27cc')));
    await symlink('nowhere', join(folder, like('27dd')));
    await mkdir(join(others, '2'));
    await writeFile(join(others, '2', DIGEST), 'in a folder of one digit');
    await mkdir(join(others, '27f'));
    await writeFile(join(others, '27f', like('27f0')), 'in a folder of three digits');
    await writeFile(join(others, '28'), 'a file where a folder would be');
    await symlink(folder, join(others, '29'));
    await symlink('2a', join(others, '2a'));
    await mkdir(join(root, '.staging'), { recursive: true });
    await writeFile(join(root, '.staging', '1-upload'), 'x');
    expect(await list()).toMatchObject([blob]);
  });

  it.each([
    ['is empty', ''],
    ['climbs', '../../../../etc/passwd'],
    ['climbs from a digest', `${DIGEST}/../../../../../outside`],
    ['is in capitals', DIGEST.toUpperCase()],
    ['is a digit short', DIGEST.slice(1)],
    ['is a digit long', `${DIGEST}0`],
    ['has no number after its dot', `${DIGEST}.`],
    ['has a word after its dot', `${DIGEST}.tmp`],
    ['has two dots', `${DIGEST}.1.2`],
    ['ends in a line break', `${DIGEST}\n`],
    ['has a zero byte', `${DIGEST.slice(1)}\0`],
  ])('never touches the disk for a name that %s', async (_how, name) => {
    const staged = await stage('bytes');
    // files beside the store, where a climbing name could reach them
    await writeFile(join(root, 'outside'), 'untouched');
    const before = (await readdir(root, { recursive: true })).sort();
    await expect(store.open(name)).rejects.toBeInstanceOf(BlobMissing);
    await expect(store.local(name)).rejects.toBeInstanceOf(BlobMissing);
    await expect(store.quarantine(name)).rejects.toBeInstanceOf(BlobMissing);
    await expect(store.put(staged, name)).rejects.toBeInstanceOf(Error);
    await store.remove(name);
    expect((await readdir(root, { recursive: true })).sort()).toEqual(before);
  });

  it('passes on what else the disk refuses', async () => {
    const path = join(root, 'blobs', 'sha256');
    await mkdir(path, { recursive: true });
    await writeFile(join(path, '27'), 'a file where the folder should be');
    await expect(store.open(DIGEST)).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(put('bytes')).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await readdir(join(root, '.staging'))).toEqual([]);
    await rm(path, { recursive: true });
    await symlink('sha256', path);
    await expect(list()).rejects.toMatchObject({ code: 'ELOOP' });
  });
});

const mountTiny = (folder: string): void => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,nr_inodes=48', 'tmpfs', folder], { stdio: 'ignore' });
};
const unmount = (folder: string): void => {
  execFileSync('umount', [folder], { stdio: 'ignore' });
};

function mayMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'mount-'));
  try {
    mountTiny(folder);
    unmount(folder);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const [describeHere, note] = mayMount() ? [describe, ''] : [describe.skip, ' (SKIPPED: this user may not mount a tmpfs)'];

describeHere(`${FileBlobStore.name} on a full volume${note}`, () => {
  let volume: string;
  let root: string;
  let store: FileBlobStore;

  const stage = (content: string): Promise<StagedBlob> => store.stage(Readable.from([Buffer.from(content)]), 2 ** 20);
  /** Takes every name that the volume has left. @returns gives them back */
  const useUpNames = async (): Promise<() => Promise<void>> => {
    const folder = await mkdtemp(join(volume, 'names-'));
    try {
      for (let n = 0; ; n++) await writeFile(join(folder, `${n}`), '');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
    return () => rm(folder, { recursive: true });
  };

  beforeAll(async () => {
    volume = await freshFolder();
    mountTiny(volume);
  });

  afterAll(() => unmount(volume));

  beforeEach(async () => {
    root = await mkdtemp(join(volume, 'store-'));
    store = new FileBlobStore(root);
  });

  afterEach(() => rm(root, { recursive: true }));

  it('says NoSpace while staging, leaves nothing behind, and takes what fits', async () => {
    await expect(stage('x'.repeat(2 ** 18))).rejects.toBeInstanceOf(NoSpace);
    expect(await readdir(join(root, '.staging'))).toEqual([]);
    const staged = await stage('fits');
    await store.put(staged);
    await staged.discard();
    expect(await text(await store.open(staged.digest))).toBe('fits');
  });

  it('says NoSpace while putting, stores nothing, and takes the same staged bytes when there is room again', async () => {
    const staged = await stage('bytes');
    const makeRoom = await useUpNames();
    await expect(store.put(staged)).rejects.toBeInstanceOf(NoSpace);
    await expect(store.open(staged.digest)).rejects.toBeInstanceOf(BlobMissing);
    await makeRoom();
    await store.put(staged);
    await staged.discard();
    expect(await text(await store.open(staged.digest))).toBe('bytes');
  });

  it('names the fault of the disk as the cause', async () => {
    await expect(stage('x'.repeat(2 ** 18))).rejects.toMatchObject({ code: 'NO_SPACE', cause: { code: 'ENOSPC' } });
  });
});
