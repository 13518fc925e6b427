import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { BackupHouse, exists, KEY, OTHER_KEY, rewrite } from '../../../test/backup/backup-house';
import { FileBlobStore } from '../../storage/file-blob.store';
import { FileEventLog } from '../../storage/file-event.log';
import { CommitUncertain, NoSpace } from '../../storage/storage.errors';
import { hashOf, sealEvent } from '../../storage/stored-event';
import { BackupRepository } from './backup-repository';
import { formatManifest } from './snapshot-manifest';
import type { Failure } from './snapshot-failure';

const FREE_BYTES = 65_536;
const CANARY = 'canary-5d7e0c1f';

const houses: BackupHouse[] = [];
async function fresh(settings?: Parameters<typeof BackupHouse.fresh>[0]): Promise<BackupHouse> {
  const house = await BackupHouse.fresh(settings);
  houses.push(house);
  return house;
}
async function failureOf(work: Promise<unknown>): Promise<Failure & { readonly code: string }> {
  const error = (await work.then(
    () => undefined,
    (caught: unknown) => caught,
  )) as { readonly failure: Failure; readonly code: string };
  return { code: error.code, ...error.failure };
}
async function filesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Writes so many events at once, as they are stored, and flushes none of them. */
async function pointAliases({ models, registry }: BackupHouse, prefix: string, count: number): Promise<void> {
  let { position } = registry.state;
  for (let at = 0; at < count; at++) {
    const fields = { kind: 'alias.set', model: 'iris', alias: `${prefix}${at}`, version: 1, actor: 'ada', correlationId: 'many' };
    const { bytes, entry } = sealEvent(position, fields, new Date());
    position = entry.position;
    await writeFile(join(models, 'log', `${String(position.seq).padStart(20, '0')}.json`), bytes);
  }
  await registry.journal.readOn();
}

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Promise.all(houses.map((house) => house.remove())));

describe('a snapshot', () => {
  it('holds every event byte for byte and every blob, and names them in canonical JSON', async () => {
    const house = await fresh();
    await house.publish('iris', 'one');
    await house.publish('iris', 'two');
    const record = await house.take();
    const manifest = await house.manifests.of(record.id);

    expect(manifest).toMatchObject({ seq: 3, lineage: house.registry.state.lineage, head: house.registry.state.position.hash });
    expect(manifest.models).toMatchObject([{ name: 'iris', production: null, versions: [{ version: 1 }, { version: 2 }] }]);
    const events = manifest.objects.find(({ kind }) => kind === 'events');
    const lines = (await readFile(house.pathOf(events!.stored), 'utf8')).trimEnd().split('\n');
    const stored = await Promise.all(
      [1, 2, 3].map((seq) => readFile(join(house.models, 'log', `${String(seq).padStart(20, '0')}.json`), 'utf8')),
    );
    expect(lines).toEqual(stored);
    const contents = manifest.objects.filter(({ kind }) => kind === 'blob').map(({ stored: name }) => readFile(house.pathOf(name), 'utf8'));
    expect((await Promise.all(contents)).sort()).toEqual(['one', 'two']);
    const bytes = await readFile(house.pathOf(record.manifest));
    expect(bytes.equals(formatManifest(manifest))).toBe(true);
    expect(hashOf(bytes)).toBe(record.manifest);
    expect(await readFile(join(house.backups, 'snapshots', `${record.id}.json`))).toEqual(bytes);
    expect(record).toMatchObject({ signed: false, encrypted: false, objects: 3, trigger: 'manual' });
    expect(await house.inventory.list()).toEqual([record]);
  });

  it('of an unchanged registry writes its manifest and at most 64 KiB, and reads no blob', async () => {
    const house = await fresh();
    for (let at = 0; at < 5; at++) await house.publish('iris', `${at}`.repeat(200_000));
    await house.take();
    house.blobs.stagedBytes = 0;
    let opened = 0;
    house.registryBlobs.beforeRead = async () => void opened++;
    const second = await house.take();
    const manifest = await readFile(house.pathOf(second.manifest));
    const event = await readFile(join(house.backups, 'log', '00000000000000000002.json'));
    expect(house.blobs.stagedBytes + event.length - manifest.length).toBeLessThanOrEqual(FREE_BYTES);
    expect(second.newBytes).toBe(manifest.length);
    expect(opened).toBe(0);
    expect((await house.manifests.of(second.id)).parent?.id).toBeDefined();
  });

  it('of a registry with one version more writes that alone, encrypted or not', async () => {
    for (const settings of [{}, { key: KEY, encrypt: true }]) {
      const house = await fresh(settings);
      await house.publish('iris', 'one'.repeat(100_000));
      await house.take();
      await house.publish('iris', 'two'.repeat(1000));
      const second = await house.take();
      expect(second.newBytes).toBeLessThan(10_000);
      expect(second.objects).toBe(3);
    }
  });

  it('reads and writes no full segment of the log again', async () => {
    const house = await fresh();
    await house.publish('iris', 'one');
    await pointAliases(house, 'a', 1500);
    const first = await house.manifests.of((await house.take()).id);
    await house.publish('iris', 'two');
    const segments = jest.spyOn(FileEventLog.prototype, 'read');
    const second = await house.manifests.of((await house.take()).id);
    const from = segments.mock.calls.map(([after]) => after.seq);
    segments.mockRestore();
    expect(from).toContain(1000);
    const full = (objects: typeof first.objects): unknown => objects.find((object) => object.kind === 'events' && object.last === 1000);
    expect(full(second.objects)).toEqual(full(first.objects));
    expect(second.objects.filter(({ kind }) => kind === 'events')).toHaveLength(2);
    expect(await house.verifier.verify(second.id, { level: 'data' })).toMatchObject({ ok: true, findings: [] });
  });

  it('begins the log anew where an older folder took the place of the registry', async () => {
    const house = await fresh();
    await house.publish('iris', 'one');
    await pointAliases(house, 'a', 1000);
    await house.take();
    const log = join(house.models, 'log');
    const old = new Set((await readdir(log)).sort().slice(0, 990));
    for (const name of (await readdir(log)).filter((each) => !old.has(each))) await rm(join(log, name));
    const other = await BackupHouse.on(house.root);
    await pointAliases(other, 'b', 20);
    const record = await other.take();
    expect(await other.verifier.verify(record.id, { level: 'data' })).toMatchObject({ ok: true });
  });

  it('does not hold what a collection took away since its cut was made, and makes a newer cut', async () => {
    const house = await fresh();
    await house.publish('iris', 'kept');
    await house.publish('iris', 'lost');
    let asked = 0;
    house.registryBlobs.beforeRead = async () => {
      if (asked++ > 0) return;
      await house.registry.deletion.deleteModel('iris', { actor: 'bob' });
      await house.registry.collector.collect('bob', { minAgeMs: 0, undeleteMs: -1000 });
      await house.publish('mnist', 'new');
    };
    const record = await house.take();
    const manifest = await house.manifests.of(record.id);
    expect(manifest.models?.map(({ name }) => name)).toEqual(['mnist']);
    expect(await house.verifier.verify(record.id, { level: 'data' })).toMatchObject({ ok: true });
  });

  it('takes along what was deleted and may come back, and does without it where that is damaged', async () => {
    const house = await fresh();
    const version = await house.publish('iris', 'one');
    await house.publish('iris', 'two');
    await house.registry.deletion.deleteVersion('iris', version, { actor: 'ada' });
    expect((await house.take()).objects).toBe(3);
    const lost = join(house.models, 'blobs', 'sha256', hashOf('one').slice(0, 2), hashOf('one'));
    await rewrite(lost, 'six');
    expect((await house.take({ rehash: true })).objects).toBe(2);
  });

  it('is not taken where a version’s bytes are missing or damaged, and says which', async () => {
    const house = await fresh();
    await house.publish('iris', 'one');
    const path = `blobs/sha256/${hashOf('one').slice(0, 2)}/${hashOf('one')}`;
    await rewrite(join(house.models, path), 'two');
    expect(await failureOf(house.take())).toMatchObject({
      code: 'SNAPSHOT_FAILED',
      phase: 'copying',
      reason: 'registry-damaged',
      objects: [path],
    });
    await rm(join(house.models, path));
    expect(await failureOf(house.take())).toMatchObject({ phase: 'copying', reason: 'registry-damaged', objects: [path] });
    expect(await house.inventory.list()).toEqual([]);
    expect(await readdir(join(house.backups, '.staging'))).toEqual([]);
  });

  it('needs no bytes of the registry that an earlier snapshot has', async () => {
    const house = await fresh();
    await house.publish('iris', 'one');
    await house.take();
    await rm(join(house.models, 'blobs'), { recursive: true });
    expect(await house.take()).toMatchObject({ objects: 2 });
  });

  it('waits for the one that is taken, and has what came in between', async () => {
    const house = await fresh();
    await house.publish('iris', 'one');
    let second: ReturnType<BackupHouse['take']> | undefined;
    house.registryBlobs.beforeRead = async () => {
      if (second !== undefined) return;
      second = house.take();
      await house.publish('iris', 'two');
    };
    const first = await house.take();
    expect(first.seq).toBe(2);
    expect((await second)?.seq).toBe(3);
  });

  it('may be taken by several processes at once: each is whole', async () => {
    const house = await fresh();
    for (const text of ['one', 'two', 'three']) await house.publish('iris', text.repeat(50_000));
    const others = await Promise.all([1, 2, 3].map(async () => BackupHouse.on(house.root)));
    const records = await Promise.all([house, ...others].map(async (each) => each.take()));
    expect(new Set(records.map(({ id }) => id)).size).toBe(4);
    expect(await house.inventory.list()).toHaveLength(4);
    for (const { id } of records) expect(await house.verifier.verify(id, { level: 'data' })).toMatchObject({ ok: true });
  });

  it('ends where its watcher wants no more, and leaves nothing behind', async () => {
    const house = await fresh();
    await house.publish('iris', 'one'.repeat(100_000));
    const stop = new AbortController();
    const failure = await failureOf(
      house.take({ signal: stop.signal, progress: ({ phase, doneBytes }) => void (phase === 'copying' && doneBytes > 0 && stop.abort()) }),
    );
    expect(failure).toMatchObject({ phase: 'copying', reason: 'aborted' });
    expect(await house.inventory.list()).toEqual([]);
    expect(await readdir(join(house.backups, '.staging'))).toEqual([]);
  });

  it('tells how far it is, to the last byte', async () => {
    const house = await fresh();
    await house.publish('iris', 'one'.repeat(100_000));
    const seen: unknown[] = [];
    await house.take({ progress: (progress) => void seen.push(progress) });
    const { bytes } = await house.inventory.list().then(([record]) => record!);
    expect(seen.at(-1)).toMatchObject({ phase: 'committing', doneBytes: bytes, allBytes: bytes });
  });

  it('of no registry, or of a newer one, is refused with a reason', async () => {
    const house = await fresh();
    await house.publish('iris', 'one');
    const { position } = house.registry.state;
    await house.registry.log.append(position, { kind: 'registry.frozen', actor: 'new', correlationId: 'new' });
    expect(await failureOf(house.take())).toMatchObject({ phase: 'reading', reason: 'registry-newer' });
  });

  it('says which call of the disk failed, keeps its code, and is taken when the disk is well again', async () => {
    const house = await fresh();
    await house.publish('iris', 'one');
    const eio = Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO', syscall: 'fsync' });
    for (const [error, expected] of [
      [eio, { code: 'SNAPSHOT_FAILED', phase: 'copying', reason: 'disk', errno: 'EIO' }],
      [
        new NoSpace({ cause: Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' }) }),
        { code: 'SNAPSHOT_NO_SPACE', phase: 'copying', reason: 'no-space', errno: 'ENOSPC' },
      ],
      [new CommitUncertain(1, { cause: eio }), { code: 'SNAPSHOT_FAILED', phase: 'copying', reason: 'uncertain' }],
      [new Error('what nobody thought of'), { code: 'SNAPSHOT_FAILED', phase: 'copying', reason: 'unforeseen' }],
    ] as const) {
      const put = jest
        .spyOn(house.blobs, 'put')
        .mockImplementationOnce(async (...args) => FileBlobStore.prototype.put.apply(house.blobs, args))
        .mockRejectedValueOnce(error);
      const failure = await failureOf(house.take({ rehash: true }));
      put.mockRestore();
      expect(failure).toMatchObject(expected);
      expect(failure.objects).toEqual([expect.stringContaining(hashOf('one'))]);
      expect(await readdir(join(house.backups, '.staging'))).toEqual([]);
    }
    expect(await house.take()).toMatchObject({ objects: 2 });
  });

  it('writes again what was condemned while it was taken', async () => {
    const house = await fresh();
    await house.publish('iris', 'one');
    await house.take();
    const digest = hashOf('one');
    const { commit } = BackupRepository.prototype;
    jest.spyOn(house.repository, 'commit').mockImplementationOnce(async (decide) => {
      await house.repository.commit(() => ({ kind: 'blobs.condemned', digests: [digest], actor: 'bob', correlationId: 'gc' }));
      return commit.call(house.repository, decide);
    });
    const record = await house.take();
    await house.blobs.remove(digest);
    const manifest = await house.manifests.of(record.id);
    expect(manifest.objects.map(({ stored }) => stored)).toContain(`${digest}.2`);
    expect(await house.verifier.verify(record.id, { level: 'data' })).toMatchObject({ ok: true });
  });

  it('believes nothing that an unfinished backup left', async () => {
    const house = await fresh();
    await house.publish('iris', 'one');
    await rewrite(house.pathOf(hashOf('one')), 'two');
    const record = await house.take();
    expect(await house.verifier.verify(record.id, { level: 'data' })).toMatchObject({ ok: true });
  });
});

describe('what is secret', () => {
  async function houseOfSecrets(settings: Parameters<typeof BackupHouse.fresh>[0]): Promise<BackupHouse> {
    const house = await fresh(settings);
    await house.publish(CANARY, `${CANARY} of a blob`.repeat(10_000));
    await house.registry.description.setAlias(CANARY, 'best', 1, { actor: CANARY });
    for (const folder of ['auth', 'derived', 'checkpoints', '.staging']) {
      await mkdir(join(house.models, folder), { recursive: true });
      await writeFile(join(house.models, folder, 'keys.json'), `secret-${folder}`);
    }
    await house.take();
    return house;
  }

  it('is in no snapshot: nothing of keys, of measurements, of checkpoints, of uploads in progress', async () => {
    const house = await houseOfSecrets({ key: KEY });
    const all = Buffer.concat(await Promise.all((await filesIn(house.backups)).map((path) => readFile(path))));
    for (const secret of ['secret-', KEY]) expect(all.indexOf(secret)).toBe(-1);
    expect(all.indexOf(CANARY)).not.toBe(-1);
  });

  it('cannot be found in an encrypted one: no name, no actor, no byte', async () => {
    const house = await houseOfSecrets({ key: KEY, encrypt: true });
    const files = await filesIn(house.backups);
    const found = await Promise.all(files.map(async (path) => (await readFile(path)).indexOf(CANARY)));
    expect(found.filter((at) => at !== -1)).toEqual([]);
    expect(files.length).toBeGreaterThan(4);
    const [record] = await house.inventory.list();
    expect(record).toMatchObject({ signed: true, encrypted: true });
    expect(await house.verifier.verify(record!.id, { level: 'data' })).toMatchObject({ ok: true, signature: 'valid' });
  });

  it('stays so where the key changes: everything is encrypted again, and the first is read with its own key only', async () => {
    const house = await houseOfSecrets({ key: KEY, encrypt: true });
    const [first] = await house.inventory.list();
    const other = await BackupHouse.on(house.root, { key: OTHER_KEY, encrypt: true });
    const second = await other.take();
    expect(second.newBytes).toBeGreaterThan(200_000);
    await expect(other.verifier.verify(first!.id, { level: 'data' })).rejects.toMatchObject({ code: 'BACKUP_KEY_WRONG' });
    expect(await other.verifier.verify(second.id, { level: 'data' })).toMatchObject({ ok: true });
  });
});

describe('a key that cannot be used', () => {
  it.each([
    ['too short', async (path: string) => rewrite(path, 'short')],
    ['read by others', async (path: string) => writeFile(path, KEY, { mode: 0o644, flag: 'w' })],
    ['no file', async (path: string) => mkdir(path)],
    ['missing', async () => {}],
    ['a link into nowhere', async (path: string) => symlink('/nowhere/at/all', path)],
  ])('is refused, and nothing is written: %s', async (_what, spoil) => {
    const house = await fresh({ key: KEY });
    await house.publish('iris', 'one');
    await rm(join(house.root, 'key'));
    await spoil(join(house.root, 'key'));
    expect(await failureOf(house.take())).toMatchObject({ phase: 'preparing', reason: 'key' });
    expect(await exists(house.backups)).toBe(false);
  });
});
