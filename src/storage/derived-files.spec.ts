import { mkdtempSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeOn, Volumes } from '../../test/crash/power-cut-volumes';
import { DerivedFiles } from './derived-files';

const NAME = 'measured/0123abcd-ef.json';
const MIB = 2 ** 20;

const stagedIn = (root: string): Promise<readonly string[]> => readdir(join(root, '.staging'));

describe(DerivedFiles, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'derived-'));
  afterAll(() => rm(scratch, { recursive: true }));

  let root: string;
  let files: DerivedFiles;
  beforeEach(async () => {
    root = await mkdtemp(join(scratch, 'root-'));
    files = new DerivedFiles(root);
  });

  it.each([{ a: [1, 'ä', null] }, [], 'text', 0, false, null])('gives back what was kept, also to another process: %j', async (value) => {
    expect(await files.write(NAME, value)).toBe(true);
    expect(await files.read(NAME)).toEqual(value);
    expect(await new DerivedFiles(root).read(NAME)).toEqual(value);
  });

  it('keeps it as JSON under derived/, and leaves nothing in the staging area', async () => {
    await files.write(NAME, { a: 1 });
    expect(JSON.parse(await readFile(join(root, 'derived', NAME), 'utf8'))).toEqual({ a: 1 });
    expect(await readdir(root)).toEqual(['.staging', 'derived']);
    expect(await stagedIn(root)).toEqual([]);
  });

  it('has nothing where nothing was kept, and makes no folder to find that out', async () => {
    expect(await files.read(NAME)).toBeUndefined();
    expect(await readdir(root)).toEqual([]);
  });

  it('replaces what was there', async () => {
    await files.write(NAME, { a: 'a long text that must not shine through' });
    expect(await files.write(NAME, 1)).toBe(true);
    expect(await files.read(NAME)).toBe(1);
  });

  it('keeps different names apart', async () => {
    await files.write('measured/a.json', 1);
    await files.write('measured/b.json', 2);
    await files.write('golden/a.json', 3);
    expect(await Promise.all(['measured/a.json', 'measured/b.json', 'golden/a.json'].map((name) => files.read(name)))).toEqual([1, 2, 3]);
  });

  it.each([
    ['nothing', ''],
    ['half an object', '{"a":1'],
    ['zeros', Buffer.alloc(100)],
    ['garbage', Buffer.from([0xff, 0xfe, 0x00, 0x7b])],
  ])('takes a file with %s in it for none, and writes over it', async (_what, content) => {
    await files.write(NAME, { a: 1 });
    await writeFile(join(root, 'derived', NAME), content);
    expect(await files.read(NAME)).toBeUndefined();
    expect(await files.write(NAME, { a: 2 })).toBe(true);
    expect(await files.read(NAME)).toEqual({ a: 2 });
  });

  it.each([
    '',
    'a.json',
    '/measured/a.json',
    'measured/../a.json',
    '../measured/a.json',
    'measured/.json',
    'measured/a',
    'measured/a.json/b.json',
    'measured/a.json\n',
    'measured/a\0.json',
    'measured/undefined.json',
    'Measured/a.json',
    `measured/${'a'.repeat(161)}.json`,
  ])('takes %j for no name, and touches nothing', async (name) => {
    await expect(files.read(name)).rejects.toThrow('is no name of a derived file');
    await expect(files.write(name, 1)).rejects.toThrow('is no name of a derived file');
    expect(await readdir(root)).toEqual([]);
  });

  // root may write to any folder, but nobody to one that is a file, nor a file over a folder
  it.each([
    ['the staging area', '.staging'],
    ['the folder of derived files', 'derived'],
    ['the folder of their kind', 'derived/measured'],
    ['the root itself', '.'],
  ])('says that nothing was kept where %s cannot be made, and fails no more than that', async (_what, path) => {
    const own = join(root, 'own');
    await mkdir(join(own, path, '..'), { recursive: true });
    await writeFile(join(own, path), 'a file');
    const blocked = new DerivedFiles(own);
    expect(await blocked.write(NAME, 1)).toBe(false);
    expect(await blocked.read(NAME)).toBeUndefined();
    expect(await stagedIn(own).catch(() => [])).toEqual([]);
  });

  it('says that nothing was kept where a folder has the name, and leaves nothing in the staging area', async () => {
    await mkdir(join(root, 'derived', NAME, 'full'), { recursive: true });
    expect(await files.write(NAME, 1)).toBe(false);
    expect(await files.read(NAME)).toBeUndefined();
    expect(await stagedIn(root)).toEqual([]);
  });

  it('has one whole file at every moment where many write at once', async () => {
    const values = Array.from({ length: 12 }, (_, writer) => ({ writer, text: String(writer).repeat(50_000 * (1 + (writer % 3))) }));
    const writers = [files, new DerivedFiles(root)];
    await files.write(NAME, values[0]);
    const writing = Promise.all(values.map((value, at) => (writers[at % 2] as DerivedFiles).write(NAME, value)));
    let going = true;
    const seen: unknown[] = [];
    const watching = (async () => {
      while (going) seen.push(await files.read(NAME));
    })();
    expect(await writing).toEqual(values.map(() => true));
    going = false;
    await watching;
    seen.push(await files.read(NAME));
    const wrong = seen.filter((found) => !values.some(({ writer, text }) => isSame(found, writer, text)));
    expect(wrong).toEqual([]);
    expect(await readdir(join(root, 'derived', 'measured'))).toEqual(['0123abcd-ef.json']);
    expect(await stagedIn(root)).toEqual([]);
  });
});

function isSame(found: unknown, writer: number, text: string): boolean {
  const value = found as { readonly writer: number; readonly text: string } | undefined;
  return value?.writer === writer && value.text === text;
}

const [describeHere, note] = describeOn('tmpfs');

describeHere(`a full disk${note}`, () => {
  const volumes = new Volumes();
  afterAll(() => volumes.remove());

  it('keeps what it had, says that it did not take more, gives back what it took, and takes the next that fits', async () => {
    const root = await volumes.tmpfs('size=1m');
    const files = new DerivedFiles(root);
    expect(await files.write(NAME, 'the first')).toBe(true);
    expect(await files.write(NAME, 'x'.repeat(2 * MIB))).toBe(false);
    expect(await files.read(NAME)).toBe('the first');
    expect(await stagedIn(root)).toEqual([]);
    expect(await files.write(NAME, 'x'.repeat(MIB / 2))).toBe(true);
  });
});
