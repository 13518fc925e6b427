import { mkdtempSync } from 'node:fs';
import fs, { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeOn, Volumes } from '../../test/crash/power-cut-volumes';
import { FileBlobStore } from './file-blob.store';
import { FreeSpace, volumeOf } from './free-space';
import { NoSpace } from './storage.errors';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

describe(FreeSpace, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'free-'));
  afterAll(() => rm(scratch, { recursive: true, force: true }));
  afterEach(() => {
    jest.restoreAllMocks();
  });

  /** A volume of that size. */
  const volume = (freeBytes: number, totalBytes: number): void => {
    const blocks = { bsize: 4096, blocks: totalBytes / 4096, bfree: totalBytes / 4096, bavail: freeBytes / 4096 };
    jest.spyOn(fs, 'statfs').mockResolvedValue({ ...blocks, type: 0, files: 0, ffree: 0 } as never);
  };

  it.each([
    ['10 % of a volume', 100 * GIB, 10 * GIB, GIB],
    ['10 % of a small volume', 5 * GIB, 5 * GIB, GIB / 2],
    ['1 GiB of a large volume', 50_000 * GIB, 2 * GIB, GIB],
  ])('keeps %s free where nobody said how much', async (_what, totalBytes, freeBytes, kept) => {
    volume(freeBytes, totalBytes);
    const space = new FreeSpace(scratch, 'auto');
    await space.require(freeBytes - kept);
    await expect(space.require(freeBytes - kept + 1)).rejects.toBeInstanceOf(NoSpace);
  });

  it('keeps as much free as it is told, and that may be nothing', async () => {
    volume(10 * MIB, GIB);
    await new FreeSpace(scratch, 3 * MIB).require(7 * MIB);
    await expect(new FreeSpace(scratch, 3 * MIB).require(7 * MIB + 1)).rejects.toBeInstanceOf(NoSpace);
    await new FreeSpace(scratch, 0).require(10 * MIB);
    volume(0, GIB);
    await new FreeSpace(scratch, 0).require(0);
  });

  it('counts what was promised to others, until it is given back', async () => {
    volume(10 * MIB, GIB);
    const space = new FreeSpace(scratch, 3 * MIB);
    const giveBack = await space.promise(4 * MIB);
    await space.promise(3 * MIB);
    await expect(space.promise(1)).rejects.toBeInstanceOf(NoSpace);
    giveBack();
    await expect(space.promise(4 * MIB + 1)).rejects.toBeInstanceOf(NoSpace); // what was refused was not promised
    await space.promise(4 * MIB);
  });

  it('counts what an ordinary user may write, not what is kept for root', async () => {
    volume(MIB, GIB); // of which more is free than available
    expect(await new FreeSpace(scratch, 0).volume()).toEqual({ freeBytes: MIB, totalBytes: GIB });
  });

  it('makes the folder whose volume it looks at', async () => {
    const root = join(scratch, 'not', 'there', 'yet');
    const { freeBytes, totalBytes } = await new FreeSpace(root, 0).volume();
    expect(await readdir(root)).toEqual([]);
    expect(freeBytes).toBeGreaterThan(0);
    expect(totalBytes).toBeGreaterThanOrEqual(freeBytes);
  });

  it('is asked for a volume without making anything on it: a mount that is gone must not come back as a folder', async () => {
    expect((await volumeOf(join(scratch, 'gone', 'models'))).totalBytes).toBe((await volumeOf(scratch)).totalBytes);
    expect(await readdir(scratch)).not.toContain('gone');
    expect((await volumeOf('never-there')).totalBytes).toBe((await volumeOf('.')).totalBytes);
  });
});

const [describeHere, note] = describeOn('tmpfs');

describeHere(`a volume of 40 MiB${note}`, () => {
  const volumes = new Volumes();
  let volume: string;
  let root: string;
  beforeAll(async () => void (volume = await volumes.tmpfs('size=40m')));
  beforeEach(async () => void (root = await mkdtemp(join(volume, 'store-'))));
  afterEach(() => rm(root, { recursive: true }));
  afterAll(() => volumes.remove());

  /** That many bytes, a mebibyte at a time. */
  async function* source(mebibytes: number, seen = { taken: 0 }): AsyncIterable<Uint8Array> {
    for (; seen.taken < mebibytes; seen.taken++) yield Buffer.alloc(MIB, seen.taken);
  }
  const stagedBytes = () => readdir(join(root, '.staging')).catch(() => []);

  it('is measured, and keeps a tenth', async () => {
    await writeFile(join(root, 'others'), Buffer.alloc(30 * MIB));
    const space = new FreeSpace(root, 'auto');
    expect(await space.volume()).toEqual({ freeBytes: 10 * MIB, totalBytes: 40 * MIB });
    expect(await volumeOf(join(root, 'not', 'yet'))).toEqual({ freeBytes: 10 * MIB, totalBytes: 40 * MIB });
    await space.require(6 * MIB);
    await expect(space.require(6 * MIB + 1)).rejects.toBeInstanceOf(NoSpace);
  });

  it('refuses an upload before a byte of it is taken where less than the minimum is free', async () => {
    await writeFile(join(root, 'others'), Buffer.alloc(37 * MIB));
    const seen = { taken: 0 };
    await expect(new FileBlobStore(root, 'auto').stage(source(1, seen), GIB)).rejects.toMatchObject({ code: 'NO_SPACE', kind: 'no-space' });
    expect(seen.taken).toBe(0);
    expect(await stagedBytes()).toEqual([]);
    const staged = await new FileBlobStore(root, 0).stage(source(1), GIB); // there is room, after all
    await staged.discard();
  });

  it('refuses an upload on its way where it would leave less than the minimum, long before the disk is full, and gives all of it back', async () => {
    const seen = { taken: 0 };
    const store = new FileBlobStore(root, 20 * MIB);
    const failure = store.stage(source(40, seen), GIB);
    await expect(failure).rejects.toBeInstanceOf(NoSpace);
    await expect(failure).rejects.not.toHaveProperty('cause'); // the disk itself did not complain
    expect(seen.taken).toBeGreaterThan(16);
    expect(seen.taken).toBeLessThan(28); // it looks every few mebibytes
    expect(await stagedBytes()).toEqual([]);
    expect((await new FreeSpace(root, 0).volume()).freeBytes).toBe(40 * MIB);
  });

  it('leaves the minimum free also where many uploads arrive at once, and gives every promise back', async () => {
    const store = new FileBlobStore(root, 20 * MIB);
    let least = Number.POSITIVE_INFINITY;
    async function* watched(): AsyncIterable<Uint8Array> {
      for await (const chunk of source(5)) {
        least = Math.min(least, (await new FreeSpace(root, 0).volume()).freeBytes);
        yield chunk;
      }
    }
    const uploads = await Promise.allSettled(Array.from({ length: 10 }, () => store.stage(watched(), GIB)));
    const free = (await new FreeSpace(root, 0).volume()).freeBytes;
    expect(Math.min(least, free)).toBeGreaterThanOrEqual(20 * MIB);
    const taken = uploads.flatMap((upload) => (upload.status === 'fulfilled' ? [upload.value] : []));
    expect(taken.length).toBeLessThanOrEqual(4);
    await Promise.all(taken.map((staged) => staged.discard()));
    expect(await stagedBytes()).toEqual([]);
    await (await store.stage(source(16), GIB)).discard(); // every promise was given back
  });

  it('takes what leaves the minimum free', async () => {
    const store = new FileBlobStore(root, 20 * MIB);
    const staged = await store.stage(source(16), GIB);
    await store.put(staged);
    await staged.discard();
    expect(await store.verify(staged.digest)).toBe(true);
  });
});
