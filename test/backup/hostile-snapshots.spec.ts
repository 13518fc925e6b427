import { execFileSync } from 'node:child_process';
import { link, lstat, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { EmptyPlace } from '../../src/backup/restore/empty-place';
import { blobPath, MAX_MANIFEST_BYTES } from '../../src/backup/snapshot/read-manifest';
import { digestOf } from '../../src/models/upload/manifest';
import { hashOf } from '../../src/storage/stored-event';
import { BackupHouse, exists } from './backup-house';
import { FORGED, forge, type ForgedEvent, type Forgery, LINEAGE, published } from './forged-snapshot';

const CONTENT = 'iris one';
const CREATED = { kind: 'registry.created', lineage: LINEAGE };
const PROMOTED = { kind: 'stage.changed', model: 'iris', version: 1, stage: 'production' };
const ONE = published(CONTENT);
const HUGE = 'a'.repeat(100_000);
const FILE = (ONE['manifest'] as { files: [{ path: string; size: number; sha256: string }] }).files[0];

const good = (...more: readonly ForgedEvent[]): Forgery => ({ events: [CREATED, ONE, PROMOTED, ...more], blobs: [CONTENT] });
const as = (event: object): Forgery => ({ events: [CREATED, event], blobs: [CONTENT] });
const version = (more: object, metadata: unknown = {}): Forgery => as(published(CONTENT, more, metadata));
const file = (more: object): Forgery => version({ manifest: { files: [{ ...FILE, ...more }], metadata: {} } });
const lying = (lie: Forgery['manifest']): Forgery => ({ ...good(), ...(lie && { manifest: lie }) });
const firstObject = (more: object): Forgery =>
  lying((manifest) => ({
    ...manifest,
    objects: (manifest['objects'] as readonly { readonly kind: string }[]).map((object) =>
      object.kind === 'blob' ? { ...object, ...more } : object,
    ),
  }));
const line = (text: string): Forgery => ({
  events: [CREATED, `{"actor":"eve","at":"2026-11-23T03:00:00.000Z","correlationId":"c","previous":"PREVIOUS","seq":2,${text}}`],
  blobs: [CONTENT],
});

/** A version as a state that was restored has it. */
const RECORD = {
  ...Object.fromEntries(Object.entries(ONE).filter(([name]) => name !== 'kind')),
  blob: FILE.sha256,
  blobs: [FILE.sha256],
  publishedAt: '2026-11-23T03:00:00.000Z',
  publishedBy: 'eve',
  stage: 'staging',
};
const MODEL = {
  name: 'iris',
  description: '',
  tags: [],
  highest: 1,
  past: [],
  createdAt: '2026-11-23T03:00:00.000Z',
  updatedAt: '2026-11-23T03:00:00.000Z',
  seq: 2,
  events: [2],
  production: null,
  versions: [RECORD],
  deletedVersions: [],
  aliases: [],
  done: [],
};
const DELETION = { seq: 2, at: '2026-11-23T03:00:00.000Z', by: 'eve' };
const restored = (bytes: string | Buffer, more: object = {}): Forgery => ({
  events: [CREATED, { kind: 'registry.restored', snapshot: 's', state: hashOf(bytes), stateBytes: bytes.length, ...more }],
  blobs: [CONTENT, bytes],
});
const state = (more: object): Forgery => restored(JSON.stringify({ models: [{ ...MODEL, ...more }] }));
const record = (more: object): Forgery => state({ versions: [{ ...RECORD, ...more }] });

/** Every snapshot that was thought of which does harm to whoever believes it. Its sums are right. */
const FORGERIES: Readonly<Record<string, Forgery>> = {
  'a model whose name climbs': version({ model: '../../etc' }),
  'a model with an absolute name': version({ model: '/etc/passwd' }),
  'a model with a NUL in its name': version({ model: 'iris\0' }),
  'a model with a backslash in its name': version({ model: '..\\iris' }),
  'a model with a name of 100 kB': version({ model: HUGE }),
  'a model without a name': version({ model: '' }),
  'a model whose name is a number': version({ model: 7 }),
  'a model whose name is a list': version({ model: ['iris'] }),
  'a model called __proto__': version({ model: '__proto__' }),
  'two models that differ in case': { events: [CREATED, ONE, published(CONTENT, { model: 'Iris' })], blobs: [CONTENT] },
  'an alias that climbs': good({ kind: 'alias.set', model: 'iris', alias: '../x', version: 1 }),
  'an alias that is a stage': good({ kind: 'alias.set', model: 'iris', alias: 'production', version: 1 }),
  'an alias that is a number': good({ kind: 'alias.set', model: 'iris', alias: '1', version: 1 }),
  'an alias of 100 kB': good({ kind: 'alias.set', model: 'iris', alias: HUGE, version: 1 }),
  'an alias that is an object': good({ kind: 'alias.set', model: 'iris', alias: {}, version: 1 }),
  'an alias of nothing': good({ kind: 'alias.set', model: 'iris', alias: 'best', version: 2 }),
  'a file that climbs': file({ path: '../../model.onnx' }),
  'a file that climbs from inside': file({ path: 'a/../../model.onnx' }),
  'a file with an absolute path': file({ path: '/etc/cron.d/x' }),
  'a file with a NUL': file({ path: 'model\0.onnx' }),
  'a file with a backslash': file({ path: '..\\model.onnx' }),
  'a file with a path of 100 kB': file({ path: HUGE }),
  'a file without a path': file({ path: '' }),
  'a file whose path is a list': file({ path: ['model.onnx'] }),
  'a file of no digest': file({ sha256: '../../../etc/passwd' }),
  'a file of another size than its object': file({ size: 9 }),
  'a file of half a byte': file({ size: 8.5 }),
  'a file of less than nothing': file({ size: -1 }),
  'two files of one name': version({ manifest: { files: [FILE, FILE], metadata: {} } }),
  'no file': version({ manifest: { files: [], metadata: {} } }),
  'files that are none': version({ manifest: { files: [null], metadata: {} }, digest: FILE.sha256 }),
  'no manifest': version({ manifest: null, digest: FILE.sha256 }),
  'version 0': version({ version: 0 }),
  'version -1': version({ version: -1 }),
  'version 1.5': version({ version: 1.5 }),
  'version 2^53': version({ version: 2 ** 53 }),
  'the last version that there can be': version({ version: Number.MAX_SAFE_INTEGER }),
  'a version that is text': version({ version: '1' }),
  'a digest that is not the manifest’s': version({ digest: hashOf('another') }),
  'an executable that is another file’s': version({ executable: digestOf({ engine: 'onnx', file: hashOf('other'), options: {} }) }),
  'an executable of other options': version({ options: { threads: '1' } }),
  'another engine': version({ engine: 'sh', executable: digestOf({ engine: 'sh', file: FILE.sha256, options: {} }) }),
  'options that are no text': version({ options: { threads: {} } }),
  'metadata that is a list': version({}, []),
  'metadata that nobody knows': version({}, { exec: 'rm -rf /' }),
  'metadata of the wrong shape': version({}, { labels: { 0: 'a' } }),
  'a deadline that is text': version({}, { deadlineMs: '1' }),
  'golden rows that are none': version({}, { golden: [{ inputs: 7 }] }),
  'a signature that is text': version({ signature: 'any' }),
  'a signature without outputs': version({ signature: { inputs: [] } }),
  'a signature of a datatype that is none': version({ signature: { inputs: [{ name: 'x', datatype: 'EVIL', shape: [1] }], outputs: [] } }),
  'a signature of half a dimension': version({ signature: { inputs: [{ name: 'x', datatype: 'FP32', shape: [0.5] }], outputs: [] } }),
  'labels that are objects': version({ labels: [{}] }),
  'an event without a model': as({ kind: 'version.published' }),
  'an event of a model that never was': good({ kind: 'stage.changed', model: 'no', version: 1, stage: 'production' }),
  'a description of a model that never was': good({ kind: 'model.described', model: 'no', description: '', tags: [] }),
  'a description that is an object': good({ kind: 'model.described', model: 'iris', description: {}, tags: [] }),
  'tags that are text': good({ kind: 'model.described', model: 'iris', description: '', tags: 'abc' }),
  'a stage that is none': good({ ...PROMOTED, stage: 'root' }),
  'an undeletion of text': good({ kind: 'model.undeleted', model: 'iris', versions: 'all' }),
  'condemned paths': good({ kind: 'blobs.condemned', digests: ['../../etc/passwd'] }),
  'condemned text': good({ kind: 'blobs.condemned', digests: 'all' }),
  'an event that nobody knows': good({ kind: 'keys.granted', to: 'eve' }),
  'an event whose kind is __proto__': good({ kind: '__proto__' }),
  'an event of no kind': good({ kind: 7 }),
  'an actor that is an object': good({ ...PROMOTED, actor: {} }),
  'an actor with line breaks': good({ ...PROMOTED, actor: 'a\r\nb' }),
  'a reason that is a list': good({ ...PROMOTED, reason: ['x'] }),
  'a time that is none': good({ ...PROMOTED, at: 'zzzz' }),
  'an idempotency key that is an object': good({ ...PROMOTED, idempotencyKey: {} }),
  'another line of history': as({ ...CREATED, lineage: 'another' }),
  'a line of history that breaks a header': {
    ...as(ONE),
    events: [{ ...CREATED, lineage: 'a" \r\nb' }, ONE],
    manifest: (manifest) => ({ ...manifest, lineage: 'a" b' }),
  },
  'a line that is no JSON': line('nothing'),
  'a line that is nested 100 000 deep': line(`"kind":"x","x":${'['.repeat(100_000)}${']'.repeat(100_000)}`),
  'metadata that is nested 100 000 deep': line(`"kind":"version.published","manifest":{"files":[],"metadata":${'{"a":'.repeat(1e5)}1${'}'.repeat(1e5)}}`), // prettier-ignore
  'a line with a poisoned key': line('"kind":"stage.changed","__proto__":{"model":"iris"}'),
  'a line with a key twice': line('"kind":"x","kind":"y"'),
  'a line of 65 MiB': line(`"kind":"x","x":"${'a'.repeat(65 * 2 ** 20)}"`),
  'a restored state that is no JSON': restored('models'),
  'a restored state that is null': restored('null'),
  'a restored state without models': restored('{}'),
  'a restored state of models that are none': restored('{"models":[null]}'),
  'a restored state that is nested 100 000 deep': restored('['.repeat(1e5) + ']'.repeat(1e5)),
  'a restored state with a poisoned key': restored('{"models":[],"__proto__":{"models":[]}}'),
  'a restored state that is not there': { ...restored('{"models":[]}'), blobs: [CONTENT] },
  'a restored state whose name climbs': restored('{"models":[]}', { state: '../../x' }),
  'a restored state of less than nothing': restored('{"models":[]}', { stateBytes: -1 }),
  'a restored model whose name climbs': state({ name: '../x', versions: [{ ...RECORD, model: '../x' }] }),
  'a restored model of which nobody knows anything': restored('{"models":[{"name":"iris"}]}'),
  'a restored model with a member that nobody knows': state({ toString: 'x' }),
  'a restored model whose tags are text': state({ tags: 'abc' }),
  'a restored model that never gave its numbers': state({ highest: 0 }),
  'a restored model that leaves no number': state({ highest: Number.MAX_SAFE_INTEGER }),
  'a restored model with an alias of nothing': state({ aliases: [['best', 9]] }),
  'a restored model with aliases that are none': state({ aliases: [7] }),
  'a restored model with a production of nothing': state({ versions: [{ ...RECORD, stage: 'production' }], production: null }),
  'a restored model with requests that are none': state({ done: [['key', 7]] }),
  'a restored model with a past of text': state({ past: ['1'] }),
  'a restored model that was deleted by nobody': state({ deletion: 'yes' }),
  'a restored model with a deletion of nothing': state({ deletedVersions: [7] }),
  'a restored model that is there and deleted': state({ deletedVersions: [{ record: RECORD, deletion: DELETION }] }),
  'a deleted version in blobs that climb': state({
    versions: [],
    deletedVersions: [{ record: { ...RECORD, blob: '../../x', blobs: ['../../x'] }, deletion: DELETION }],
  }),
  'a restored version of another model': record({ model: 'other' }),
  'a restored version in no stage': record({ stage: 'root' }),
  'a restored version published by an object': record({ publishedBy: {} }),
  'a restored version with the executable of another': record({ executable: digestOf({ engine: 'onnx', file: hashOf('other'), options: {} }) }), // prettier-ignore
  'a manifest of format 2': lying((manifest) => ({ ...manifest, format: 2 })),
  'a manifest of more than 64 MiB': { ...good(), bytes: Buffer.alloc(MAX_MANIFEST_BYTES + 1, 0x20) },
  'a manifest that is nested 21 deep': { ...good(), bytes: Buffer.from(`{"format":1,"x":${'['.repeat(21)}${']'.repeat(21)}}`) },
  'a manifest with a poisoned key': { ...good(), bytes: Buffer.from('{"__proto__":{"format":1}}') },
  'an object that climbs': firstObject({ path: '../../../etc/passwd' }),
  'an object stored under a name that climbs': firstObject({ stored: '../../../etc/passwd' }),
  'an object that is larger than it says': firstObject({ bytes: 3, storedBytes: 3 }),
  'an object that is smaller than it says': firstObject({ bytes: 2 ** 50, storedBytes: 2 ** 50 }),
  'a member that nobody knows': lying((manifest) => ({ ...manifest, also: 1 })),
};

type Meddle = (house: BackupHouse, outside: string) => Promise<void>;
const OBJECT = blobPath(FILE.sha256);
const instead =
  (path: string, put: (path: string, outside: string) => unknown): Meddle =>
  async (house, outside) => {
    await rm(join(house.backups, path), { recursive: true, force: true });
    await put(join(house.backups, path), outside);
  };
const eventsOf = async (house: BackupHouse): Promise<string> => {
  const { objects } = await house.manifests.of(FORGED);
  return blobPath((objects.find(({ kind }) => kind === 'events') as { stored: string }).stored);
};
const COPY = `snapshots/${FORGED}.json`;
const fifo = (path: string): unknown => execFileSync('mkfifo', [path]);
const device = (path: string): unknown => execFileSync('mknod', [path, 'c', '1', '5']); // /dev/zero

/** What else than files may lie there. */
const PLANTED: Readonly<Record<string, Meddle>> = {
  ...Object.fromEntries(
    Object.entries({ 'an object': OBJECT, 'the manifest': COPY }).flatMap(([what, path]) => [
      [`a link in place of ${what}`, instead(path, (at, outside) => symlink(join(outside, 'canary'), at))],
      [`a link to nothing in place of ${what}`, instead(path, (at) => symlink('/nowhere/at/all', at))],
      [`a link to itself in place of ${what}`, instead(path, (at) => symlink(at, at))],
      [`a second name of a file outside in place of ${what}`, instead(path, (at, outside) => link(join(outside, 'canary'), at))],
      [`a pipe in place of ${what}`, instead(path, fifo)],
      [`a folder in place of ${what}`, instead(path, (at) => mkdir(at))],
      [`a device in place of ${what}`, instead(path, device)],
    ]),
  ),
  'a pipe in place of the events': async (house, outside) => instead(await eventsOf(house), fifo)(house, outside),
  'a link in place of the events': async (house, outside) =>
    instead(await eventsOf(house), (at) => symlink(join(outside, 'canary'), at))(house, outside),
  'a file in place of the folder of blobs': instead('blobs', (at) => writeFile(at, 'x')),
  'a link to a folder outside in place of the folder of blobs': instead('blobs', (at, outside) => symlink(outside, at)),
  'a pipe in place of the folder of snapshots': instead('snapshots', fifo),
  'a link to a folder outside in place of the folder of snapshots': instead('snapshots', (at, outside) => symlink(outside, at)),
};

const REFUSED = /^(SNAPSHOT_(DAMAGED|NEWER|NOT_FOUND)|RESTORE_DAMAGED)$/;
const canMakeDevices = process.getuid?.() === 0;

describe('a snapshot that means harm', () => {
  let house: BackupHouse;
  let outside: string;

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(async () => {
    house = await BackupHouse.fresh();
    outside = join(house.root, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'canary'), 'what is not to be read');
    await house.publish('market', 'what is here');
  });
  afterEach(() => house.remove());

  /** Every file and folder, and what it is. */
  const inodes = async (folder = house.root): Promise<readonly string[]> => {
    const found: string[] = [];
    for (const name of (await readdir(folder)).sort()) {
      const path = join(folder, name);
      const { ino, size, mode, mtimeMs, nlink } = await lstat(path);
      const isFolder = (mode & 0o170000) === 0o040000;
      // staging areas were used, and are empty again; a place that is to be restored may have been begun
      if (path === join(house.root, 'elsewhere')) continue;
      if (name === '.staging') expect(await readdir(path)).toEqual([]);
      else found.push(`${path} ${ino} ${mode} ${isFolder ? '' : `${size} ${mtimeMs} ${nlink}`}`);
      if (isFolder) found.push(...(await inodes(path)));
    }
    return found;
  };

  /** It is refused here and in an empty place, by a code, and nothing is changed anywhere. */
  const refused = async (): Promise<void> => {
    const before = await inodes();
    const { seq } = house.registry.state.position;
    const place = join(house.root, 'elsewhere');
    const intoPlace = async (): Promise<unknown> => {
      const source = await house.sources.open(FORGED, 'ada');
      try {
        return await new EmptyPlace(place).restore(source, 'ada');
      } finally {
        await source.close();
      }
    };
    const refusal = expect.objectContaining({ code: expect.stringMatching(REFUSED) });
    await expect(house.restore(FORGED)).rejects.toEqual(refusal);
    await expect(intoPlace()).rejects.toEqual(refusal);
    // a plan is made all the same where objects are damaged, and says so
    const plan = await house.plan(FORGED).catch((error: object) => error);
    expect('lost' in plan ? plan.lost : plan).toEqual('lost' in plan ? [{ model: 'iris', version: 1 }] : refusal);
    expect(await exists(join(place, 'log'))).toBe(false);
    expect(house.registry.state.position.seq).toBe(seq);
    expect(await inodes()).toEqual(before);
  };

  it('is one that would be restored, were it good', async () => {
    await forge(house.backups, good({ kind: 'alias.set', model: 'iris', alias: 'best', version: 1 }));
    await house.restore(FORGED);
    expect(house.registry.state.require('iris').production?.version).toBe(1);
  });

  it('is one that would be restored, were its restored state good', async () => {
    await forge(house.backups, state({}));
    await house.restore(FORGED);
    expect(house.registry.state.requireVersion('iris', 1).stage).toBe('staging');
  });

  it.each(Object.entries(FORGERIES))('is refused with %s', async (_what, forgery) => {
    await forge(house.backups, forgery);
    await expect(refused()).resolves.toBeUndefined();
  });

  it.each(Object.entries(PLANTED).filter(([what]) => canMakeDevices || !what.includes('device')))(
    'is refused with %s',
    async (_what, meddle) => {
      await forge(house.backups, good());
      await meddle(house, outside);
      await expect(refused()).resolves.toBeUndefined();
    },
  );

  it('comes in more than sixty forms', () => expect(Object.keys({ ...FORGERIES, ...PLANTED }).length).toBeGreaterThan(60));
});
