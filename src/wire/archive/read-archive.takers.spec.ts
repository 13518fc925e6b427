import type { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { paxHeader, tarGzOf } from '../../../test/archives/tar-bytes';
import { ArchiveFolder, LIMITS } from '../../../test/archives/unpacked';
import { zipOf } from '../../../test/archives/zip-bytes';
import type { TakeFile } from './archive-intake';
import { readArchive } from './read-archive';

const folder = new ArchiveFolder();
beforeAll(() => folder.make());
afterAll(() => folder.remove());

const ENTRIES = [
  { name: 'model.onnx', content: Buffer.from(Array.from({ length: 3000 }, (_, at) => (at * at) % 256)) },
  { name: 'folder/metadata.json', content: '{"a": 1}' },
];
const KINDS = [
  ['a zip', zipOf(ENTRIES)],
  ['a tar.gz', tarGzOf([paxHeader({ path: 'folder/other', mtime: '1' }), ...ENTRIES])],
] as const;

/** Reads what there is, and does not care how it ends. */
async function swallow(content: Readable): Promise<void> {
  await text(content).catch(() => '');
}

describe.each(KINDS)('%s whose taker', (_kind, bytes) => {
  const run = async (take: TakeFile): Promise<unknown> => {
    try {
      return await readArchive(await folder.write(bytes), LIMITS, take).catch((error: unknown) => error);
    } finally {
      expect(folder.open()).toBe(0);
    }
  };

  it('rejects at once is told its own error, and no more files', async () => {
    const error = new Error('no space');
    const take = jest.fn(() => Promise.reject(error));
    expect(await run(take)).toBe(error);
    expect(take).toHaveBeenCalledTimes(1);
  });

  it('rejects in the middle of a file finds it destroyed', async () => {
    const error = new Error('no space');
    let seen: Readable | undefined;
    const take: TakeFile = async ({ content }) => {
      seen = content;
      for await (const chunk of content) if (chunk) throw error;
    };
    expect(await run(take)).toBe(error);
    expect(seen?.destroyed).toBe(true);
  });

  it('rejects in the middle of a file that is not all read is told its own error', async () => {
    const error = new Error('no space');
    const large = { name: 'large.onnx', content: Buffer.from(Array.from({ length: 2 ** 20 }, (_, at) => (at * at) % 251)) };
    const path = await folder.write(bytes === KINDS[0][1] ? zipOf([large]) : tarGzOf([large]));
    const take: TakeFile = async ({ content }) => {
      try {
        for await (const chunk of content) if (chunk) throw error;
      } finally {
        await sleep(20); // it has a file to take away first
      }
    };
    await expect(readArchive(path, LIMITS, take)).rejects.toBe(error);
    expect(folder.open()).toBe(0);
  });

  it('rejects at the second file is told its own error', async () => {
    const error = Object.assign(new Error('disk'), { code: 'EIO' });
    expect(await run(async ({ path, content }) => void (path.includes('/') ? await Promise.reject(error) : await text(content)))).toBe(
      error,
    );
  });

  it('does not read a file gets the next one all the same', async () => {
    const paths: string[] = [];
    expect(await run(async ({ path }) => void paths.push(path))).toBeUndefined();
    expect(paths).toHaveLength(2);
  });

  it('destroys a file, and says nothing, is told so', async () => {
    expect(await run(async ({ content }) => void content.destroy())).toMatchObject({ message: expect.stringContaining('destroyed') });
  });

  it('is slow gets one file at a time', async () => {
    let running = 0;
    const take: TakeFile = async ({ content }) => {
      expect(++running).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await buffer(content);
      running--;
    };
    expect(await run(take)).toBeUndefined();
  });
});

it('refuses a damaged file whose taker says nothing of it', async () => {
  const bytes = zipOf([{ name: 'a', content: 'abc', central: { crc: 1 } }]);
  const path = await folder.write(bytes);
  await expect(readArchive(path, LIMITS, ({ content }) => swallow(content))).rejects.toMatchObject({ code: 'ARCHIVE_REFUSED' });
});
