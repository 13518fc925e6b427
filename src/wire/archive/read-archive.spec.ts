import { symlink } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { ArchiveFolder, LIMITS } from '../../../test/archives/unpacked';
import { paxHeader, type RawTarEntry, tarGzOf, tarOf } from '../../../test/archives/tar-bytes';
import { zipOf } from '../../../test/archives/zip-bytes';
import { archiveKindOf, readArchive } from './read-archive';

const folder = new ArchiveFolder();
beforeAll(() => folder.make());
afterAll(() => folder.remove());

interface Named {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
}

const KINDS: readonly (readonly [string, (entries: readonly Named[]) => Buffer])[] = [
  ['a zip', (entries) => zipOf(entries.map((entry) => (entry.name.toString().endsWith('/') ? { ...entry, mode: 0o040755 } : entry)))],
  ['a tar.gz', (entries) => tarGzOf(entries.map((entry) => (entry.name.toString().endsWith('/') ? { ...entry, type: '5' } : entry)))],
];

/** A long name stands in a PAX header of its own. */
function tarLong(name: string): Buffer {
  return tarGzOf([paxHeader({ path: name }), { name: 'short', content: 'x' }]);
}

function refused(field: unknown = expect.any(String)): object {
  const said = expect.stringMatching(/./);
  return { code: 'ARCHIVE_REFUSED', kind: 'invalid', details: { field, expected: said, actual: said } };
}

describe(archiveKindOf, () => {
  it.each([
    ['a zip', zipOf([{ name: 'a', content: 'x' }]), 'zip'],
    ['an empty zip', zipOf([]), 'zip'],
    ['a tar.gz', tarGzOf([{ name: 'a' }]), 'tar.gz'],
    ['a tar', tarOf([{ name: 'a' }]), undefined],
    ['nothing', Buffer.alloc(0), undefined],
    ['one byte', Buffer.from('P'), undefined],
    ['a part of a zip over several disks', Buffer.from('PK\x07\x08'), undefined],
  ])('knows %s by its first bytes', async (_what, bytes, kind) => {
    expect(await archiveKindOf(await folder.write(bytes))).toBe(kind);
  });

  it('follows no link', async () => {
    const path = await folder.write(zipOf([]));
    await symlink(path, `${path}-link`);
    await expect(archiveKindOf(`${path}-link`)).rejects.toMatchObject({ code: 'ELOOP' });
  });
});

describe.each(KINDS)('readArchive of %s', (_kind, pack) => {
  it('gives every file with its path, and keeps a top folder', async () => {
    const entries = [{ name: 'iris/' }, { name: 'iris/model.onnx', content: 'abc' }, { name: 'iris/meta/v1.json', content: '{}' }];
    expect(await folder.unpack(pack(entries))).toEqual({ 'iris/model.onnx': 'abc', 'iris/meta/v1.json': '{}' });
  });

  it('gives a large file and an empty one', async () => {
    const large = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * at) % 251)).toString('latin1');
    const entries = [
      { name: 'large', content: Buffer.from(large, 'latin1') },
      { name: 'empty', content: '' },
    ];
    expect(await folder.unpack(pack(entries))).toEqual({ large, empty: '' });
  });

  it('takes ./ off the front, and makes names NFC', async () => {
    const entries = [{ name: './' }, { name: './a', content: 'x' }, { name: 'e\u0301', content: 'y' }];
    expect(await folder.unpack(pack(entries))).toEqual({ a: 'x', '\u00e9': 'y' });
  });

  it('passes over what macOS leaves', async () => {
    const entries = [
      { name: '__MACOSX/' },
      { name: '__MACOSX/._a', content: 'x' },
      { name: 'b/.DS_Store', content: 'x' },
      { name: 'a', content: 'y' },
    ];
    expect(await folder.unpack(pack(entries))).toEqual({ a: 'y' });
  });

  it('takes a folder that comes twice', async () => {
    expect(await folder.unpack(pack([{ name: 'a/' }, { name: 'a/' }, { name: 'a/b', content: 'x' }]))).toEqual({ 'a/b': 'x' });
  });

  it.each([
    ['..', '..'],
    ['../x', '../x'],
    ['a/../b', 'a/../b'],
    ['a/..', 'a/..'],
    ['an absolute name', '/etc/passwd'],
    ['a backslash', String.raw`a\b`],
    ['.. and backslashes', String.raw`..\..\b`],
    ['a drive', 'C:/b'],
    ['a drive without a slash', 'c:b'],
    ['a control character', 'a\nb'],
    ['an escape sequence', 'a\u001b[2Jb'],
    ['a mark that turns the text round', 'a\u202eb'],
    ['a space of no width', 'a\u200bb'],
    ['an empty part', 'a//b'],
    ['a dot inside', 'a/./b'],
    ['a dot at the end', 'a/.'],
    ['.. behind a dot', './../b'],
    ['a slash behind a dot', './/b'],
    ['two wide dots', '\uff0e\uff0e/b'],
    ['a leader of two dots', '\u2025/b'],
    ['a wide slash', 'a\uff0f..\uff0fb'],
    ['a sign that becomes a slash', 'a\u2100b'],
    ['a wide backslash', 'a\uff3cb'],
    ['a wide drive', 'C\uff1ab'],
    ['bytes that are no UTF-8', Buffer.from([0x61, 0xff, 0x62])],
    ['33 folders', `${'a/'.repeat(32)}b`],
  ])('refuses a name with %s', async (_what, name) => {
    await expect(folder.unpack(pack([{ name, content: 'x' }]))).rejects.toMatchObject(refused());
  });

  it.each([
    ['the same', 'a', 'a'],
    ['another case', 'Model.onnx', 'model.ONNX'],
    ['a wide letter', 'a', '\uff41'],
    ['a ligature', 'ﬀ', 'ff'],
    ['a sharp s', 'straße', 'STRASSE'],
    ['another normal form', '\u00e9', 'e\u0301'],
    ['./ before it', 'a', './a'],
    ['a file inside it', 'a', 'a/b'],
    ['a file inside it before it', 'a/b', 'A'],
    ['a folder', 'a', 'A/'],
    ['a folder before it', 'A/', 'a'],
  ])('refuses a name that is there already: %s', async (_what, first, second) => {
    const entries = [first, second].map((name) => (name.endsWith('/') ? { name } : { name, content: 'x' }));
    await expect(folder.unpack(pack(entries))).rejects.toMatchObject(refused(second.replace(/^\.\/|\/$/g, '').normalize('NFC')));
  });

  it('refuses a folder with content', async () => {
    await expect(folder.unpack(pack([{ name: 'a/', content: 'x' }]))).rejects.toMatchObject(refused('a'));
  });

  it.each([
    ['no entry', []],
    ['a folder only', [{ name: 'a/' }]],
    ['nothing but what macOS leaves', [{ name: '.DS_Store', content: 'x' }]],
  ])('refuses an archive with %s', async (_what, entries) => {
    await expect(folder.unpack(pack(entries))).rejects.toMatchObject(refused('archive'));
  });

  it.each([
    ['a.zip', zipOf([{ name: 'a' }])],
    ['A.ZIP', zipOf([])],
    ['a.tgz', tarGzOf([{ name: 'a' }])],
    ['a.gz', gzipSync('x')],
    ['a.tar', tarOf([{ name: 'a' }])],
    ['a.tar', zipOf([{ name: 'a' }])],
  ])('refuses an archive in it: %s', async (name, content) => {
    await expect(folder.unpack(pack([{ name, content }]))).rejects.toMatchObject(refused(name));
  });

  it.each([
    ['weights.npz', zipOf([{ name: 'a' }])],
    ['no-archive.zip', Buffer.from('only its name')],
    ['empty.tar', Buffer.alloc(0)],
    ['long.gz', Buffer.alloc(1000, 7)],
  ])('takes a file that is an archive by its bytes or its name alone: %s', async (name, content) => {
    expect(await folder.unpack(pack([{ name, content }]))).toEqual({ [name]: content.toString('latin1') });
  });

  it('shows a name without what a terminal would obey', async () => {
    await expect(folder.unpack(pack([{ name: '\u001b]0;x\u0007', content: 'x' }]))).rejects.toMatchObject(refused('\ufffd]0;x\ufffd'));
  });

  it('takes as many entries as it may, and no more', async () => {
    const entries = [{ name: 'a/' }, { name: 'a/b', content: 'x' }, { name: '.DS_Store', content: 'x' }];
    expect(await folder.unpack(pack(entries), { maxEntries: 3 })).toEqual({ 'a/b': 'x' });
    await expect(folder.unpack(pack(entries), { maxEntries: 2 })).rejects.toMatchObject({ code: 'ARCHIVE_TOO_LARGE', kind: 'too-large' });
  });

  it('takes as many bytes as it may, and no more', async () => {
    const entries = [
      { name: 'a', content: '12345' },
      { name: 'b', content: '123' },
    ];
    expect(await folder.unpack(pack(entries), { maxBytes: 8, maxFileBytes: 5 })).toEqual({ a: '12345', b: '123' });
    const all = { code: 'ARCHIVE_TOO_LARGE', details: { field: 'b', expected: 'at most 7 bytes in all files', actual: 'more' } };
    await expect(folder.unpack(pack(entries), { maxBytes: 7 })).rejects.toMatchObject(all);
    const one = { code: 'ARCHIVE_TOO_LARGE', details: { field: 'a', expected: 'at most 4 bytes in a file' } };
    await expect(folder.unpack(pack(entries), { maxFileBytes: 4 })).rejects.toMatchObject(one);
  });

  it('refuses what unpacks to a hundred times its size, unless that is little', async () => {
    const zeros = (bytes: number): Buffer => pack([{ name: 'a', content: Buffer.alloc(bytes) }]);
    await expect(folder.unpack(zeros(2 ** 20 - 4096))).resolves.toBeDefined();
    await expect(folder.unpack(zeros(2 ** 21))).rejects.toMatchObject({ code: 'ARCHIVE_TOO_LARGE', kind: 'too-large' });
    await expect(folder.unpack(zeros(2 ** 21), { maxRatio: 2000 })).resolves.toBeDefined();
  });
});

describe(readArchive, () => {
  it('takes a name of 255 bytes, and none of 256', async () => {
    const long = `${'é'.repeat(127)}x`;
    for (const pack of [tarLong, (name: string) => zipOf([{ name, content: 'x' }])]) {
      expect(await folder.unpack(pack(long))).toEqual({ [long]: 'x' });
      await expect(folder.unpack(pack(`${long}y`))).rejects.toMatchObject(refused());
    }
  });

  it('refuses a NUL in a name', async () => {
    await expect(folder.unpack(zipOf([{ name: 'a.onnx\0.txt', content: 'x' }]))).rejects.toMatchObject(refused());
    await expect(folder.unpack(tarLong('a.onnx\0.txt'))).rejects.toMatchObject(refused());
  });

  it('gives modes and owners no meaning', async () => {
    const setuid: RawTarEntry = { name: 'a', content: 'x', mode: 0o6755 };
    expect(await folder.unpack(tarGzOf([setuid]))).toEqual({ a: 'x' });
    expect(await folder.unpack(zipOf([{ name: 'a', content: 'x', mode: 0o106755 }]))).toEqual({ a: 'x' });
  });

  it.each([
    ['a model', Buffer.from('\x08\x07onnx')],
    ['a tar that is not compressed', tarOf([{ name: 'a', content: 'x' }])],
    ['nothing', Buffer.alloc(0)],
  ])('refuses what is no archive: %s', async (_what, bytes) => {
    await expect(folder.unpack(bytes)).rejects.toMatchObject(refused('archive'));
  });

  it('fails as the disk does', async () => {
    await expect(readArchive('/nowhere', LIMITS, async () => {})).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
