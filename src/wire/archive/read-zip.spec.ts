import { deflateRawSync } from 'node:zlib';
import { ArchiveFolder } from '../../../test/archives/unpacked';
import { extraField, numbers, zipOf } from '../../../test/archives/zip-bytes';
import { readZip } from './read-zip';

const folder = new ArchiveFolder();
beforeAll(() => folder.make());
afterAll(() => folder.remove());

const GOOD = { name: 'good', content: 'good' };
const A = { name: 'a', content: 'abc' };

async function expectRefused(bytes: Buffer, actual: unknown = expect.stringMatching(/./)): Promise<void> {
  await expect(folder.unpack(bytes)).rejects.toMatchObject({ code: 'ARCHIVE_REFUSED', details: { actual } });
  expect(folder.open()).toBe(0);
}

/** 64-bit numbers one after another, as the ZIP64 extra field has them. */
function wide(...values: readonly bigint[]): Buffer {
  const data = Buffer.alloc(8 * values.length);
  values.forEach((value, index) => data.writeBigUInt64LE(value, 8 * index));
  return extraField(0x0001, data);
}

describe(readZip, () => {
  it('reads entries that are stored, and those whose sizes follow them', async () => {
    const streamed = { ...A, name: 'b', flags: 0x808, local: { crc: 0, bytes: 0, compressedBytes: 0 } };
    expect(await folder.unpack(zipOf([{ ...A, method: 0 }, streamed]))).toEqual({ a: 'abc', b: 'abc' });
  });

  it('reads a ZIP64 that makes sense', async () => {
    const all = 0xffff_ffff;
    const entry = { ...A, method: 0, extra: wide(3n, 3n), localExtra: wide(3n, 3n), central: { bytes: all, compressedBytes: all } };
    const bytes = zipOf([entry], { zip64: { count: 1n, directoryAt: BigInt(zipOf([entry]).indexOf('PK\x01\x02')) } });
    expect(await folder.unpack(bytes)).toEqual({ a: 'abc' });
  });

  it('gives the files in the order in which they lie', async () => {
    const second = zipOf([A]).indexOf('PK\x01\x02');
    const bytes = zipOf([A, { ...GOOD }]);
    const at = bytes.indexOf('PK\x01\x02');
    const [first, other] = [bytes.subarray(at, at + 47), bytes.subarray(at + 47, at + 47 + 50)];
    const swapped = Buffer.concat([bytes.subarray(0, at), other, first, bytes.subarray(at + 97)]);
    expect(second).toBeGreaterThan(0);
    expect(Object.keys(await folder.unpack(swapped))).toEqual(['a', 'good']);
  });

  it.each([
    ['a symbolic link', 0o120777],
    ['a fifo', 0o010644],
    ['a character device', 0o020644],
    ['a block device', 0o060644],
    ['a socket', 0o140644],
    ['a folder that is called like a file', 0o040755],
  ])('refuses %s', async (_what, mode) => {
    await expectRefused(zipOf([{ name: 'a', content: '/etc/passwd', mode }]));
  });

  it('refuses a file that is called like a folder', () => expectRefused(zipOf([{ name: 'a/', mode: 0o100644 }])));

  it('refuses a link and the file that goes through it', () =>
    expectRefused(
      zipOf([
        { name: 'a', content: '/tmp', mode: 0o120777 },
        { name: 'a/b', content: 'x' },
      ]),
    ));

  it.each([
    ['old encryption', { ...A, flags: 0x801 }],
    ['strong encryption', { ...A, flags: 0x841 }],
    ['a hidden directory', { ...A, flags: 0x2800 }],
    ['a patch', { ...A, flags: 0x820 }],
    ['an unknown method', { ...A, method: 99 }],
    ['deflate64', { ...A, method: 9 }],
    ['bzip2', { ...A, method: 12 }],
  ])('refuses %s', async (_what, entry) => {
    await expectRefused(zipOf([entry]));
  });

  it.each([
    ['more bytes than it says', { ...A, central: { bytes: 2 } }],
    ['fewer bytes than it says', { ...A, central: { bytes: 4 } }],
    ['no bytes, but says so', { ...A, content: '', central: { bytes: 1 } }],
    ['another checksum', { ...A, central: { crc: 7 } }],
    ['data that are no deflate', { ...A, data: Buffer.from('\xff\xff\xff\xff', 'latin1') }],
    ['data that end early', { ...A, data: deflateRawSync(Buffer.from('abc')).subarray(0, 3) }],
    ['something behind its data', { ...A, data: Buffer.concat([deflateRawSync(Buffer.from('abc')), Buffer.from('x')]) }],
    ['zeros behind its data', { ...A, data: Buffer.concat([deflateRawSync(Buffer.from('abc')), Buffer.alloc(100_000)]) }],
    ['a stored size that is another', { ...A, method: 0, central: { bytes: 1 } }],
    ['a header with another size', { ...A, local: { bytes: 2 } }],
    ['a header with another compressed size', { ...A, local: { compressedBytes: 2 } }],
    ['a header with another checksum', { ...A, local: { crc: 2 } }],
    ['a header with another name', { ...A, local: { name: '../a' } }],
    ['a header with another method', { ...A, local: { method: 0 } }],
    ['a header with sizes although they follow', { ...A, flags: 0x808, local: { bytes: 2 } }],
  ])('refuses an entry that has %s', async (_what, entry) => {
    await expectRefused(zipOf([GOOD, entry]));
  });

  it('refuses another name in an extra field', async () => {
    const other = extraField(0x7075, Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), Buffer.from('../a')]));
    await expectRefused(zipOf([{ ...A, extra: other }]), 'another name in an extra field');
    const same = extraField(0x7075, Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), Buffer.from('a')]));
    expect(await folder.unpack(zipOf([{ ...A, extra: same }]))).toEqual({ a: 'abc' });
  });

  it('refuses entries of one and the same data', async () => {
    await expectRefused(zipOf([A, { name: 'b', content: 'abc', offset: 0 }]), 'it overlaps the next');
  });

  it('refuses an entry that lies inside another', async () => {
    const inner = zipOf([{ name: 'b', content: 'abc' }]);
    const outer = { name: 'a', method: 0, content: inner.subarray(0, inner.indexOf('PK\x01\x02')) };
    await expectRefused(zipOf([outer, { name: 'b', content: 'abc', offset: 31 }]), 'it overlaps the next');
  });

  it('refuses an entry that reaches into the directory', async () => {
    const bytes = zipOf([{ ...A, method: 0, central: { bytes: 20, compressedBytes: 20 } }]);
    await expectRefused(bytes, 'it overlaps the next');
  });

  it.each([
    ['fewer entries than there are', zipOf([A, GOOD], { count: 1 })],
    ['more entries than there are', zipOf([A, GOOD], { count: 3 })],
    ['no entries, but has one', zipOf([A], { count: 0 })],
    ['a directory outside', zipOf([A], { directoryAt: 0xffff_fff0 })],
    ['a directory elsewhere', zipOf([A], { directoryAt: 0 })],
    ['no end', zipOf([A]).subarray(0, -1)],
    ['no directory', zipOf([A]).subarray(0, 40)],
    ['four bytes only', Buffer.from('PK\x03\x04')],
    ['something behind its end', Buffer.concat([zipOf([A]), Buffer.from('x')])],
    ['an end in its comment', zipOf([A], { comment: Buffer.concat([Buffer.from('x'), zipOf([])]) })],
    ['an extra field that is too long', zipOf([{ ...A, extra: numbers([2, 1], [2, 100]) }])],
    ['a header with an extra field that is too long', zipOf([{ ...A, localExtra: numbers([2, 1], [2, 100]) }])],
    ['an entry that begins outside', zipOf([{ ...A, offset: 0xffff_fff0 }])],
    ['an entry that begins in the directory', zipOf([A, { ...GOOD, offset: 50 }])],
  ])('refuses an archive that has %s', async (_what, bytes) => {
    await expectRefused(bytes);
  });

  const all = 0xffff_ffff;
  it.each([
    ['a record beyond 2^53', zipOf([A], { zip64: { count: 1n, directoryAt: 36n, recordAt: 2n ** 64n - 1n } })],
    ['a record that is none', zipOf([A], { zip64: { count: 1n, directoryAt: 36n, recordAt: 0n } })],
    ['a directory beyond 2^53', zipOf([A], { zip64: { count: 1n, directoryAt: 2n ** 63n } })],
    ['2^64 entries', zipOf([A], { zip64: { count: 2n ** 64n - 1n, directoryAt: 36n } })],
    ['no entries', zipOf([A], { zip64: { count: 0n, directoryAt: 36n } })],
    ['an extra field that is too short', zipOf([{ ...A, extra: wide(3n), central: { bytes: all, compressedBytes: all } }])],
    ['an offset beyond 2^53', zipOf([{ ...A, extra: wide(2n ** 63n), offset: all }])],
    ['a compressed size beyond 2^53', zipOf([{ ...A, extra: wide(2n ** 64n - 1n), central: { compressedBytes: all } }])],
    ['a header with another size', zipOf([{ ...A, localExtra: wide(4n, 3n), local: { bytes: all, compressedBytes: all } }])],
    ['a header with half a size', zipOf([{ ...A, localExtra: extraField(1, Buffer.alloc(4)), local: { bytes: all } }])],
  ])('refuses a ZIP64 with %s', async (_what, bytes) => {
    await expectRefused(bytes);
  });

  it.each([
    ['beyond 2^53', { extra: wide(2n ** 64n - 1n), central: { bytes: all } }],
    ['of 4 GiB, without the extra field that would say another', { central: { bytes: all, compressedBytes: all } }],
  ])('refuses a size %s as too large', async (_what, lies) => {
    const bytes = zipOf([{ ...A, ...lies }]);
    await expect(folder.unpack(bytes)).rejects.toMatchObject({ code: 'ARCHIVE_TOO_LARGE', details: { field: 'a' } });
  });
});
