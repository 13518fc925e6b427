import { rm } from 'node:fs/promises';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { paxHeader, tarEntry, tarOf } from '../../../test/archives/tar-bytes';
import { ArchiveFolder, LIMITS } from '../../../test/archives/unpacked';
import { zipOf } from '../../../test/archives/zip-bytes';
import type { AppError } from '../../errors/app-error';
import type { ArchiveLimits, TakeFile } from './archive-intake';
import { readArchive } from './read-archive';

const folder = new ArchiveFolder();
beforeAll(() => folder.make());
afterAll(() => folder.remove());

const MiB = 2 ** 20;
const ZEROS = Buffer.alloc(200 * MiB);
const TOO_LARGE = { code: 'ARCHIVE_TOO_LARGE', kind: 'too-large' };

/** Reads an archive to its end or refusal, and looks at the memory and the time of CPUs that it takes: others may be busy as well. */
async function measure(bytes: Uint8Array, limits: Partial<ArchiveLimits> = {}) {
  const path = await folder.write(bytes);
  const seen = { bytes: 0, growth: 0, ms: 0, files: 0, error: undefined as unknown };
  const rss = process.memoryUsage.rss();
  const before = process.cpuUsage();
  const take: TakeFile = async ({ content }) => {
    for await (const chunk of content) {
      seen.bytes += (chunk as Buffer).length;
      seen.growth = Math.max(seen.growth, process.memoryUsage.rss() - rss);
    }
  };
  await readArchive(path, { ...LIMITS, ...limits }, take).catch((error: unknown) => (seen.error = error));
  const { user, system } = process.cpuUsage(before);
  seen.ms = (user + system) / 1000;
  seen.files = folder.open();
  await rm(path);
  return seen;
}

describe('a bomb', () => {
  const zip = zipOf([{ name: 'zeros', data: deflateRawSync(ZEROS), central: { bytes: ZEROS.length, crc: 0 } }]);
  const liar = zipOf([{ name: 'zeros', data: deflateRawSync(ZEROS), central: { bytes: 1000, crc: 0 } }]);
  const tarGz = gzipSync(Buffer.concat([tarEntry({ name: 'zeros', size: Buffer.from('01440000000\0') }), ZEROS]));
  const large = { maxBytes: 1e12, maxFileBytes: 1e12 };

  it.each([
    ['a zip', zip, large, 21 * MiB, 'ARCHIVE_TOO_LARGE'],
    ['a tar.gz', tarGz, large, 21 * MiB, 'ARCHIVE_TOO_LARGE'],
    ['a zip, where the ratio is not limited', zip, { ...large, maxRatio: Infinity }, 200 * MiB, 'ARCHIVE_REFUSED'], // no checksum
    ['a tar.gz, where the ratio is not limited', tarGz, { ...large, maxRatio: Infinity }, 200 * MiB, undefined],
    ['a zip that says so', zip, {}, 0, 'ARCHIVE_TOO_LARGE'],
    ['a tar.gz that says so', tarGz, {}, 0, 'ARCHIVE_TOO_LARGE'],
    ['a zip that says 1000 bytes', liar, {}, 1000, 'ARCHIVE_REFUSED'],
  ])('of 200 MiB in %s is stopped in time, and takes little memory', async (_what, bytes, limits, most, code) => {
    expect(bytes.length).toBeLessThan(210_000);
    const seen = await measure(bytes, limits);
    expect((seen.error as Partial<AppError> | undefined)?.code).toBe(code);
    expect(seen.bytes).toBeLessThanOrEqual(most);
    expect(seen.growth).toBeLessThan(32 * MiB);
    expect(seen.ms).toBeLessThan(2000);
    expect(seen.files).toBe(0);
  });

  it('of many members is stopped by the sum of them', async () => {
    const rest = gzipSync(ZEROS.subarray(0, 10 * MiB));
    const head = gzipSync(tarEntry({ name: 'zeros', size: Buffer.from('01440000000\0') }));
    const seen = await measure(Buffer.concat([head, ...Array.from({ length: 20 }, () => rest)]), large);
    expect(seen).toMatchObject({ error: TOO_LARGE, files: 0 });
    expect(seen.bytes).toBeLessThan(21 * MiB);
  });

  it('of entries that overlap is not unpacked at all', async () => {
    const inner = { name: 'a', data: deflateRawSync(ZEROS.subarray(0, 10 * MiB)), central: { bytes: 10 * MiB, crc: 0 } };
    const seen = await measure(zipOf([inner, ...Array.from({ length: 500 }, (_, at) => ({ ...inner, name: `${at}`, offset: 0 }))]), {
      ...large,
      maxRatio: Infinity,
    });
    expect(seen).toMatchObject({ bytes: 0, error: { code: 'ARCHIVE_REFUSED', details: { actual: 'it overlaps the next' } } });
  });

  it('of a million entries in a zip is stopped at ten thousand', async () => {
    const one = zipOf([{ name: '1234567', method: 0 }]);
    const at = one.indexOf('PK\x01\x02');
    const record = one.subarray(at, at + 53);
    const directory = Buffer.alloc(53e6);
    for (let entry = 0; entry < 1e6; entry++) {
      record.copy(directory, entry * 53);
      directory.write(`${entry}`.padStart(7, '0'), entry * 53 + 46);
    }
    const end = zipOf([], { zip64: { count: 1_000_000n, directoryAt: BigInt(at), recordAt: BigInt(at + 53e6) } });
    const seen = await measure(Buffer.concat([one.subarray(0, at), directory, end]));
    expect(seen).toMatchObject({ files: 0, error: { ...TOO_LARGE, details: { field: 'archive', expected: 'at most 10000 entries' } } });
    expect(seen.ms).toBeLessThan(2000);
  });

  it('of a million entries in a tar.gz is stopped at ten thousand', async () => {
    const blocks = Array.from({ length: 100_000 }, (_, at) => tarEntry({ name: `${at}` }));
    const tenth = gzipSync(Buffer.concat(blocks));
    const seen = await measure(Buffer.concat(Array.from({ length: 10 }, () => tenth)), { maxRatio: Infinity });
    expect(seen).toMatchObject({ files: 0, error: { ...TOO_LARGE, details: { field: 'archive', expected: 'at most 10000 entries' } } });
    expect(seen.ms).toBeLessThan(2000);
  });

  // tar-stream would copy thousands of records thousands of times before it tells of an entry
  it('of headers without an entry is stopped in time', async () => {
    const records = Object.fromEntries(Array.from({ length: 200_000 }, (_, at) => [`k${at}`, '1']));
    const tar = tarOf([paxHeader(records, 'g'), ...Array.from({ length: 1000 }, () => paxHeader({ a: '1' }))]);
    const seen = await measure(gzipSync(tar), { maxRatio: Infinity });
    expect(seen).toMatchObject({ error: { code: 'ARCHIVE_REFUSED' }, files: 0 });
    expect(seen.ms).toBeLessThan(500);
  });
});
