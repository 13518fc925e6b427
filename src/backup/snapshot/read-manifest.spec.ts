import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Logger } from '@nestjs/common';
import canonicalize from 'canonicalize';
import { BackupHouse, rewrite } from '../../../test/backup/backup-house';
import { LOG_START } from '../../storage/event-log.port';
import { hashOf } from '../../storage/stored-event';
import { MAX_MANIFEST_BYTES, readManifest } from './read-manifest';
import { type BlobObject, type EventsObject, formatManifest, type SnapshotManifest } from './snapshot-manifest';

const A = hashOf('a');
const B = hashOf('b');
const blob = (sha256: string, more: Partial<BlobObject> = {}): BlobObject => ({
  kind: 'blob',
  path: `blobs/sha256/${sha256.slice(0, 2)}/${sha256}`,
  sha256,
  bytes: 1,
  stored: sha256,
  storedBytes: 1,
  ...more,
});
const events = (first: number, last: number, previous: string, head: string): EventsObject => {
  const name = (seq: number): string => String(seq).padStart(20, '0');
  const sha256 = hashOf(`${first}-${last}`);
  return {
    kind: 'events',
    path: `log/${name(first)}-${name(last)}.jsonl`,
    sha256,
    bytes: 9,
    stored: sha256,
    storedBytes: 9,
    first,
    last,
    previous,
    head,
  };
};
const HEAD = hashOf('1000');
const GOOD: SnapshotManifest = {
  format: 1,
  tool: { name: 'analytics-api', version: '0.1.0' },
  id: '20261123T030000Z-1002-abcd',
  createdAt: '2026-11-23T03:00:00.000Z',
  trigger: 'schedule',
  lineage: '5f0c1b62-7d0d-4f6a-8d5c-2f7c2f0b9c11',
  seq: 1002,
  head: B,
  parent: { id: '20261122T030000Z-1000-0123', manifest: A },
  objects: [
    ...[blob(A), blob(B)].sort((x, y) => (x.path < y.path ? -1 : 1)),
    events(1, 1000, LOG_START.hash, HEAD),
    events(1001, 1002, HEAD, B),
  ],
  models: [
    { name: 'iris', production: 1, versions: [{ version: 1, stage: 'production', digest: A, files: [{ path: 'model.onnx', sha256: A }] }] },
  ],
};
const [FIRST, SECOND, FULL, LAST] = GOOD.objects as unknown as [BlobObject, BlobObject, EventsObject, EventsObject];
const withObjects = (...objects: readonly object[]): object => ({ ...GOOD, objects });
const withFirst = (more: object): object => withObjects({ ...FIRST, ...more }, SECOND, FULL, LAST);
const withLast = (more: object): object => withObjects(FIRST, SECOND, FULL, { ...LAST, ...more });
const withModel = (more: object): object => ({ ...GOOD, models: [{ ...GOOD.models?.[0], ...more }] });
const withFile = (path: unknown): object =>
  withModel({ versions: [{ version: 1, stage: 'staging', digest: A, files: [{ path, sha256: A }] }] });
const without = (name: keyof SnapshotManifest): object => Object.fromEntries(Object.entries(GOOD).filter(([key]) => key !== name));
const text = (value: object): Buffer => Buffer.from(canonicalize(value) as string);

/** Every way that was thought of to make a manifest do what it should not. */
const HOSTILE: Readonly<Record<string, Buffer>> = {
  'nothing at all': Buffer.alloc(0),
  'no JSON': Buffer.from('snapshot'),
  'half of it': text(GOOD).subarray(0, 500),
  'a byte order mark': Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), text(GOOD)]),
  'UTF-16': Buffer.from(text(GOOD).toString(), 'utf16le'),
  'bytes that are no UTF-8': Buffer.concat([Buffer.from('{"format":1,"id":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]),
  'a list': text([GOOD]),
  null: Buffer.from('null'),
  'a number': Buffer.from('1'),
  'deep nesting': Buffer.from(`${'['.repeat(100_000)}${']'.repeat(100_000)}`),
  'twenty-one deep': Buffer.from(`{"format":1,"x":${'['.repeat(21)}${']'.repeat(21)}}`),
  'a key twice': Buffer.from(text(GOOD).toString().replace('"seq":1002', '"seq":1002,"seq":1003')),
  'a poisoned key': Buffer.from(text(GOOD).toString().replace('{', '{"__proto__":{"ok":true},')),
  'a number beyond all': Buffer.from(text(GOOD).toString().replace('"seq":1002', '"seq":1e999')),
  'not canonical: a blank': Buffer.from(`${text(GOOD).toString()} `),
  'not canonical: another order': Buffer.from(JSON.stringify(GOOD)),
  'not canonical: 1002.0': Buffer.from(text(GOOD).toString().replace('"seq":1002', '"seq":1002.0')),
  ...Object.fromEntries(
    (['tool', 'id', 'createdAt', 'trigger', 'lineage', 'seq', 'head', 'objects'] as const).map((name) => [
      `no ${name}`,
      text(without(name)),
    ]),
  ),
  'a member that nobody knows': text({ ...GOOD, also: 1 }),
  'no format': text(without('format')),
  'format 0': text({ ...GOOD, format: 0 }),
  'a format that is text': text({ ...GOOD, format: '1' }),
  'an id that climbs': text({ ...GOOD, id: '../../etc/passwd' }),
  'an id with a NUL': text({ ...GOOD, id: '20261123T030000Z-1002-abcd\0' }),
  'an id that is a list': text({ ...GOOD, id: [GOOD.id] }),
  'a time that is none': text({ ...GOOD, createdAt: '2026-13-45T99:99:99.999Z' }),
  'a trigger that is none': text({ ...GOOD, trigger: 'evil' }),
  'a negative number': text({ ...GOOD, seq: -1 }),
  'half a number': text({ ...GOOD, seq: 1.5 }),
  'a lineage with a line break': text({ ...GOOD, lineage: 'a\nb' }),
  'a head that is no digest': text({ ...GOOD, head: 'zz' }),
  'a parent without a manifest': text({ ...GOOD, parent: { id: GOOD.id } }),
  'a parent that climbs': text({ ...GOOD, parent: { id: '../x', manifest: A } }),
  'another cipher': text({ ...GOOD, encryption: { cipher: 'none', keyId: '0'.repeat(16) } }),
  'a signature that is none': text({ ...GOOD, signature: { keyId: '0'.repeat(16), hmac: 'short' } }),
  'objects that are an object': text({ ...GOOD, objects: { 0: FIRST } }),
  'an object of no kind': text(withFirst({ kind: 'link' })),
  'an object twice': text(withObjects(FIRST, FIRST, SECOND, FULL, LAST)),
  'objects in no order': text(withObjects(SECOND, FIRST, FULL, LAST)),
  'a path that climbs': text(withFirst({ path: '../../../etc/passwd' })),
  'an absolute path': text(withFirst({ path: '/etc/passwd' })),
  'a path that climbs from inside': text(withFirst({ path: `blobs/sha256/${A.slice(0, 2)}/../../../${A}` })),
  'a path with a backslash': text(withFirst({ path: FIRST.path.replaceAll('/', '\\') })),
  'a path into the keys': text(withFirst({ path: 'auth/keys.json' })),
  'the path of another blob': text(withFirst({ path: SECOND.path, sha256: FIRST.sha256 })),
  'a blob among the events': text(withObjects({ ...FIRST, path: FULL.path }, SECOND, FULL, LAST)),
  'a digest in capitals': text(withFirst({ sha256: FIRST.sha256.toUpperCase() })),
  'a digest that is short': text(withFirst({ sha256: 'abc' })),
  'a stored name that climbs': text(withFirst({ stored: '../../../../etc/passwd' })),
  'a stored name with a NUL': text(withFirst({ stored: `${A}\0` })),
  'a stored name of other bytes': text(withFirst({ stored: hashOf('evil') })),
  'a stored name with a suffix that is none': text(withFirst({ stored: `${FIRST.sha256}.0` })),
  'a negative size': text(withFirst({ bytes: -1, storedBytes: -1 })),
  'a size beyond all': text(withFirst({ bytes: 2 ** 60, storedBytes: 2 ** 60 })),
  'a size that is text': text(withFirst({ bytes: '1' })),
  'two sizes': text(withFirst({ storedBytes: 2 })),
  'a plain object in an encrypted snapshot': text({ ...GOOD, encryption: { cipher: 'aes-256-gcm', keyId: '0'.repeat(16) } }),
  'a mode': text(withFirst({ mode: 0o4755 })),
  'events with a gap': text(withObjects(FIRST, SECOND, FULL, events(1002, 1002, HEAD, B))),
  'events twice': text(withObjects(FIRST, SECOND, FULL, events(1000, 1002, HEAD, B))),
  'events that are not chained': text(withLast({ previous: A })),
  'events that end elsewhere': text(withLast({ head: A })),
  'events that run backwards': text(withLast({ first: 1002, last: 1001 })),
  'events beyond the last one': text({ ...GOOD, seq: 1001 }),
  'events that are missing': text(withObjects(FIRST, SECOND, FULL)),
  'no events': text(withObjects(FIRST, SECOND)),
  'a segment too large': text({ ...withObjects(FIRST, SECOND, events(1, 1002, LOG_START.hash, B)) }),
  'a segment too small': text(withObjects(FIRST, SECOND, events(1, 10, LOG_START.hash, HEAD), events(11, 1002, HEAD, B))),
  'the path of other events': text(withLast({ path: FULL.path.replace('1000.', '1001.') })),
  'a model with a name of its own': text(withModel({ name: '../iris' })),
  'a model that runs a command': text(withModel({ name: '$(reboot)' })),
  'a version that is no number': text(withModel({ versions: [{ version: 'x', stage: 'staging', digest: A, files: [] }] })),
  'a file that climbs': text(withFile('../../.bashrc')),
  'a file that is absolute': text(withFile('/etc/passwd')),
  'a file that climbs from inside': text(withFile('a/../../b')),
  'a file with a backslash': text(withFile('..\\x')),
  'a file with a line break': text(withFile('a\nb')),
  'a file without a name': text(withFile('')),
  'a file that is a list': text(withFile(['a'])),
  'more bytes than a manifest may have': Buffer.alloc(MAX_MANIFEST_BYTES + 1, 0x20),
};

beforeAll(() => Logger.overrideLogger(false));

describe('a manifest', () => {
  it('that is good is read', () => {
    expect(readManifest(formatManifest(GOOD))).toEqual(GOOD);
  });

  it('of a newer version says to upgrade', () => {
    expect(() => readManifest(text({ format: 2, whatever: true }))).toThrow(
      expect.objectContaining({ code: 'SNAPSHOT_NEWER', message: expect.stringContaining('Upgrade') }),
    );
  });

  it('is met in 60 hostile forms or more', () => {
    expect(Object.keys(HOSTILE).length).toBeGreaterThanOrEqual(60);
  });

  it.each(Object.keys(HOSTILE))('is refused with %s', (name) => {
    expect(() => readManifest(HOSTILE[name] as Buffer)).toThrow(expect.objectContaining({ code: 'SNAPSHOT_DAMAGED' }));
  });
});

describe('hostile files in backups/', () => {
  it('are listed as damaged or passed over, and nothing is written or read outside', async () => {
    const house = await BackupHouse.fresh();
    await house.publish('iris', 'one');
    const { id, manifest } = await house.take();
    const outside = join(house.root, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'secret'), 'one');
    const copies = join(house.backups, 'snapshots');
    for (const [at, bytes] of Object.values(HOSTILE).slice(0, -1).entries()) {
      await rewrite(join(copies, `20261123T030000Z-1-${at.toString(16).padStart(4, '0')}.json`), bytes);
    }
    expect((await house.inventory.list()).map((record) => record.id)).toEqual([id]);
    await rm(house.pathOf(hashOf('one')));
    await symlink(join(outside, 'secret'), house.pathOf(hashOf('one')));
    await rm(join(copies, `${id}.json`));
    await symlink(join(outside, 'secret'), join(copies, `${id}.json`));
    await symlink(outside, join(copies, '20261123T030000Z-1-ffff.json'));
    expect(await house.inventory.list()).toMatchObject([{ id, manifest, damaged: [expect.stringContaining('missing')] }]);
    const { objects } = await house.manifests.of(id);
    await expect(buffer(house.objects.read(objects[0]!))).rejects.toMatchObject({ code: 'SNAPSHOT_DAMAGED' });
    await house.take();
    expect(await readdir(outside)).toEqual(['secret']);
    expect(await house.verifier.verify(id, { level: 'data' })).toMatchObject({ ok: true });
    await house.remove();
  });
});
