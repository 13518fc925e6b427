import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { paxHeader, tarEntry, tarGzOf, tarOf } from '../../../test/archives/tar-bytes';
import { ArchiveFolder } from '../../../test/archives/unpacked';
import { readTarGz } from './read-tar-gz';

const folder = new ArchiveFolder();
beforeAll(() => folder.make());
afterAll(() => folder.remove());

const A = { name: 'a', content: 'abc' };
const said = expect.stringMatching(/./);

async function expectRefused(bytes: Buffer, actual: unknown = said): Promise<void> {
  await expect(folder.unpack(bytes)).rejects.toMatchObject({ code: 'ARCHIVE_REFUSED', details: { actual } });
  expect(folder.open()).toBe(0);
}

describe(readTarGz, () => {
  it.each([
    ['a hard link', { name: 'a', type: '1', linkname: '/etc/passwd' }],
    ['a hard link inside', { name: 'a', type: '1', linkname: 'b' }],
    ['a symbolic link', { name: 'a', type: '2', linkname: '/etc/passwd' }],
    ['a character device', { name: 'a', type: '3' }],
    ['a block device', { name: 'a', type: '4' }],
    ['a fifo', { name: 'a', type: '6' }],
    ['a contiguous file', { name: 'a', type: '7', content: 'x' }],
    ['a sparse file of GNU tar', { name: 'a', type: 'S', content: 'x' }],
    ['a volume of GNU tar', { name: 'a', type: 'V' }],
    ['a list of GNU tar', { name: 'a/', type: 'D' }],
    ['a part of a file', { name: 'a', type: 'M', content: 'x' }],
    ['a type that nobody knows', { name: 'a', type: 'Z', content: 'x' }],
  ])('refuses %s', async (_what, entry) => {
    await expectRefused(tarGzOf([{ name: 'good', content: 'x' }, entry]));
  });

  it('refuses a link and the file that goes through it', () =>
    expectRefused(
      tarGzOf([
        { name: 'a', type: '2', linkname: '/tmp' },
        { name: 'a/b', content: 'x' },
      ]),
      'symlink',
    ));

  it('refuses a sparse file of PAX', () =>
    expectRefused(tarGzOf([paxHeader({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0' }), A]), 'a sparse file'));

  it.each(['../a', '/a', 'a/../../b', String.raw`..\a`, 'a\nb', 'x'.repeat(256)])('refuses a PAX path that leads away: %s', (path) =>
    expectRefused(tarGzOf([paxHeader({ path }), A])),
  );

  it.each(['../a', '/a'])('refuses a long name of GNU tar that leads away: %s', (path) =>
    expectRefused(tarGzOf([{ name: '././@LongLink', type: 'L', content: `${path}\0` }, A])),
  );

  it('reads a long name of GNU tar', async () => {
    const long = `${'folder/'.repeat(20)}file`;
    expect(await folder.unpack(tarGzOf([{ name: '././@LongLink', type: 'L', content: `${long}\0` }, A]))).toEqual({ [long]: 'abc' });
  });

  it('passes over global headers', async () => {
    expect(await folder.unpack(tarGzOf([paxHeader({ comment: 'made by git' }, 'g'), A]))).toEqual({ a: 'abc' });
  });

  it('reads folders as old tars write them', async () => {
    expect(await folder.unpack(tarGzOf([{ name: 'b/' }, A]))).toEqual({ a: 'abc' });
  });

  it('reads an archive without its end', async () => {
    expect(await folder.unpack(gzipSync(tarEntry(A)))).toEqual({ a: 'abc' });
  });

  it('reads an archive in several members', async () => {
    const tar = tarOf([{ name: 'a', content: randomBytes(100_000) }]);
    const bytes = Buffer.concat([gzipSync(tar.subarray(0, 777)), gzipSync(''), gzipSync(tar.subarray(777))]);
    expect(Object.keys(await folder.unpack(bytes))).toEqual(['a']);
  });

  it.each([
    ['a gzip of something else', gzipSync('just a text')],
    ['a gzip of something else that is long', gzipSync('just a text '.repeat(100))],
    ['a gzip of nothing', gzipSync('')],
    ['a gzip of zeros', gzipSync(Buffer.alloc(10_240))],
    ['a gzip that ends early', tarGzOf([A]).subarray(0, -9)],
    ['a gzip without a checksum', tarGzOf([A]).subarray(0, -8)],
    ['a gzip with another checksum', Buffer.concat([tarGzOf([A]).subarray(0, -8), Buffer.alloc(8)])],
    ['two bytes', Buffer.from('\x1f\x8b', 'latin1')],
    ['a tar that ends in a header', gzipSync(tarEntry(A).subarray(0, 300))],
    ['a tar that ends in a file', gzipSync(tarEntry({ name: 'a', content: 'x'.repeat(2000) }).subarray(0, 1000))],
    ['a header with another checksum', gzipSync(Buffer.concat([Buffer.from('b'), tarOf([A]).subarray(1)]))],
    ['garbage behind the gzip', Buffer.concat([tarGzOf([A]), Buffer.from('garbage')])],
    ['a zip behind the gzip', Buffer.concat([tarGzOf([A]), Buffer.from('PK\x05\x06'), Buffer.alloc(18)])],
    ['zeros behind the gzip', Buffer.concat([tarGzOf([A]), Buffer.alloc(10)])],
    ['much behind the gzip', Buffer.concat([tarGzOf([A]), Buffer.alloc(200_000)])],
    ['half a member behind the gzip', Buffer.concat([tarGzOf([A]), gzipSync('x').subarray(0, 12)])],
  ])('refuses %s', async (_what, bytes) => {
    await expectRefused(bytes);
  });

  it.each([
    ['no number', Buffer.from('abcdefghijk\0')],
    ['a negative number', Buffer.from('-0000000001\0')],
    ['a negative number in binary', Buffer.alloc(12, 0xfe).fill(0xff, 0, 11)],
    ['a number of no known form', Buffer.from([0xc0, ...Buffer.alloc(11)])],
  ])('refuses a size that is %s', async (_what, size) => {
    await expectRefused(tarGzOf([{ name: 'a', size }]));
  });

  it('refuses a size that is beyond 2^53', async () => {
    await expectRefused(tarGzOf([{ name: 'a', size: Buffer.from([0x80, ...Buffer.alloc(11, 0xff)]) }]));
    await expectRefused(tarGzOf([paxHeader({ size: '1e400' }), paxHeader({ size: '99999999999999999999' }), A]));
  });

  it('refuses a header as large as a file', async () => {
    const bytes = tarGzOf([paxHeader({ comment: randomBytes(40_000).toString('hex') }), A]);
    await expectRefused(bytes, 'more');
  });

  it('refuses headers without end', async () => {
    await expectRefused(tarGzOf([...Array.from({ length: 100 }, () => paxHeader({ mtime: '1' })), A]), 'more');
  });

  // tar-stream copies the records of a global header into each one that follows
  it('refuses very many records', async () => {
    const records = Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`x${at}`, '1']));
    await expectRefused(tarGzOf([paxHeader(records, 'g'), paxHeader({ mtime: '1' }), A]), '66');
  });

  it('refuses zeros without end', async () => {
    const bytes = gzipSync(Buffer.concat([tarEntry({ name: 'a', content: randomBytes(200_000) }), Buffer.alloc(2 ** 21)]));
    await expectRefused(bytes, 'more');
  });
});
