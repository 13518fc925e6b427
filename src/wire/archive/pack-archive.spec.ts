import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { ArchiveFolder } from '../../../test/archives/unpacked';
import { type PackedFile, packTarGz } from './pack-archive';

const folder = new ArchiveFolder();
beforeAll(() => folder.make());
afterAll(() => folder.remove());

function fileOf(path: string, content: string | Buffer): PackedFile {
  const bytes = Buffer.from(content);
  return { path, bytes: bytes.length, open: async () => Readable.from([bytes], { objectMode: false }) };
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let wait = 0; wait < 100 && !isTrue(); wait++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(isTrue()).toBe(true);
}

const LONG = `${'a-long-folder/'.repeat(15)}model.onnx`;
const FILES = [fileOf('b/naïve ☃.json', '{}'), fileOf('b', ''), fileOf(LONG, randomBytes(100_000)), fileOf('a.onnx', 'abc')];

describe(packTarGz, () => {
  it('packs what readArchive unpacks to the same bytes', async () => {
    const files = FILES.filter(({ path }) => path !== 'b');
    const expected = await Promise.all(
      files.map(async ({ path, open }) => [path, (await buffer(await open())).toString('latin1')] as const),
    );
    expect(await folder.unpack(await buffer(packTarGz(files)))).toEqual(Object.fromEntries(expected));
  });

  it('packs what the tar of the system reads', async () => {
    const path = await folder.write(await buffer(packTarGz(FILES)));
    const list = execFileSync('tar', ['tzf', path, '--quoting-style=literal'], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    expect(list.toString().trim().split('\n')).toEqual([LONG, 'a.onnx', 'b', 'b/naïve ☃.json']);
    const verbose = execFileSync('tar', ['tvzf', path, '--numeric-owner', '--utc'], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    expect(verbose.toString()).toContain('-rw-r--r-- 0/0               3 1970-01-01 00:00 a.onnx');
    expect(execFileSync('tar', ['xzOf', path, 'a.onnx']).toString()).toBe('abc');
  });

  it('packs the same files to the same bytes, in whatever order they come', async () => {
    const hash = async (files: readonly PackedFile[]): Promise<string> =>
      createHash('sha256')
        .update(await buffer(packTarGz(files)))
        .digest('hex');
    const first = await hash(FILES);
    await new Promise((resolve) => setTimeout(resolve, 1100)); // a time in whole seconds would show
    expect(await hash(FILES.toReversed())).toBe(first);
  });

  it('packs nothing into an archive that is empty, and whole', async () => {
    const path = await folder.write(await buffer(packTarGz([])));
    expect(execFileSync('tar', ['tzf', path]).toString()).toBe('');
  });

  it('opens a file when its turn comes, and waits for who reads', async () => {
    let read = 0;
    const opened: string[] = [];
    const endless = (path: string): PackedFile => ({
      path,
      bytes: 2 ** 30,
      open: async () => {
        opened.push(path);
        return new Readable({ read: function give() { this.push(randomBytes(65_536)); read += 65_536; } }); // prettier-ignore
      },
    });
    const archive = packTarGz([endless('a'), endless('b')]);
    await until(() => read > 0);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(read).toBeLessThan(2 ** 20);
    expect(opened).toEqual(['a']);
    archive.destroy();
  });

  it('closes the file that is open when its reader goes away', async () => {
    const path = await folder.write(randomBytes(2 ** 22));
    const opened: Readable[] = [];
    const open = async (): Promise<Readable> => {
      const stream = createReadStream(path);
      opened.push(stream);
      return stream;
    };
    const archive = packTarGz([
      { path: 'a', bytes: 2 ** 22, open },
      { path: 'b', bytes: 2 ** 22, open },
    ]);
    await once(archive, 'readable');
    archive.destroy();
    await until(() => opened.every(({ closed }) => closed) && folder.open() === 0);
    expect(opened).toHaveLength(1);
  });

  it('closes a file that opens after its reader went away', async () => {
    const opening = Promise.withResolvers<Readable>();
    const archive = packTarGz([{ path: 'a', bytes: 3, open: () => opening.promise }]);
    archive.destroy();
    await once(archive, 'close');
    const late = Readable.from(['abc']);
    opening.resolve(late);
    await until(() => late.destroyed);
    expect(late.readableEnded).toBe(false);
  });

  it.each([
    ['cannot be opened', 3, () => Promise.reject(new Error('it is lost'))],
    ['fails', 3, async () => new Readable({ read: function fail() { this.destroy(new Error('it is lost')); } })], // prettier-ignore
    ['is shorter than it says', 4, async () => Readable.from([Buffer.from('abc')])],
    ['is longer than it says', 2, async () => Readable.from([Buffer.from('abc')])],
  ])('fails with a file that %s', async (_what, bytes, open) => {
    await expect(buffer(packTarGz([fileOf('a', 'x'), { path: 'b', bytes, open }]))).rejects.toThrow(/lost|mismatch/i);
  });
});
