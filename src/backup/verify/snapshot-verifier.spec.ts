import { chmod, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Logger } from '@nestjs/common';
import canonicalize from 'canonicalize';
import { BackupHouse, flipBit, KEY, OTHER_KEY, rewrite } from '../../../test/backup/backup-house';
import { hashOf } from '../../storage/stored-event';
import { formatManifest, type SnapshotManifest, type SnapshotObject } from '../snapshot/snapshot-manifest';
import type { SnapshotRecord } from '../snapshot/snapshot-records';
import type { VerifyReport } from './verify-report';

const houses: BackupHouse[] = [];
async function fresh(settings?: Parameters<typeof BackupHouse.fresh>[0]): Promise<BackupHouse> {
  const house = await BackupHouse.fresh(settings);
  houses.push(house);
  return house;
}
/** A registry with one model of two versions, and a snapshot of it. */
async function taken(
  settings?: Parameters<typeof BackupHouse.fresh>[0],
): Promise<{ house: BackupHouse; record: SnapshotRecord; manifest: SnapshotManifest }> {
  const house = await fresh(settings);
  await house.publish('iris', 'one');
  await house.publish('iris', 'two');
  const record = await house.take();
  return { house, record, manifest: await house.manifests.of(record.id) };
}
const problemsOf = ({ findings }: VerifyReport): readonly string[] => findings.map(({ object, problem }) => `${object} ${problem}`);
const eventPath = (house: BackupHouse, seq: number): string => join(house.backups, 'log', `${String(seq).padStart(20, '0')}.json`);

/** Puts another manifest in the place of a snapshot's, with every sum made right again, as somebody does who can write there. */
async function forge(house: BackupHouse, record: SnapshotRecord, change: (manifest: SnapshotManifest) => object): Promise<void> {
  const bytes = Buffer.from(canonicalize(change(await house.manifests.of(record.id))) as string);
  await rewrite(house.pathOf(hashOf(bytes)), bytes);
  await rm(house.pathOf(record.manifest));
  await rewrite(join(house.backups, 'snapshots', `${record.id}.json`), bytes);
  const event = JSON.parse(await readFile(eventPath(house, 1), 'utf8')) as object;
  await rewrite(eventPath(house, 1), canonicalize({ ...event, manifest: hashOf(bytes) }) as string);
}

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Promise.all(houses.map((house) => house.remove())));

describe('a verification', () => {
  it.each([{}, { key: KEY }, { key: KEY, encrypt: true }])('finds nothing where nothing is, and writes that down: %j', async (settings) => {
    const { house, record, manifest } = await taken(settings);
    expect(await house.verifier.verify(record.id, { level: 'structure' })).toMatchObject({ ok: true, objectsRead: 0 });
    expect(await house.inventory.find(record.id)).toMatchObject({ verified: { level: 'structure' } });
    const report = await house.verifier.verify(record.id, { level: 'data' });
    expect(report).toMatchObject({ ok: true, findings: [], objectsRead: 3, signature: 'key' in settings ? 'valid' : 'unsigned' });
    expect(report.bytesRead).toBe(manifest.objects.reduce((sum, { storedBytes }) => sum + storedBytes, 0));
    expect(await house.inventory.find(record.id)).toMatchObject({ verified: { level: 'data' } });
  });

  it('that looks less closely takes nothing from a closer one, and is told beside it until the next that is as close', async () => {
    const { house, record } = await taken();
    const seen = async () => {
      const { verified, lookedOver } = await house.inventory.find(record.id);
      return { verified, lookedOver };
    };
    await house.verifier.verify(record.id, { level: 'data' });
    const { verified } = await seen();
    expect(await seen()).toEqual({ verified: { at: expect.any(String), level: 'data' }, lookedOver: undefined });
    for (const less of [{ level: 'structure' }, { level: 'data', subset: { n: 1, t: 2 } }] as const) {
      await house.verifier.verify(record.id, less);
      const [event] = (await readdir(join(house.backups, 'log'))).sort().slice(-1);
      const { at } = JSON.parse(await readFile(join(house.backups, 'log', event as string), 'utf8')) as { readonly at: string };
      expect(await seen()).toEqual({ verified, lookedOver: { at } });
    }
    await house.verifier.verify(record.id, { level: 'data' });
    expect(await seen()).toEqual({ verified: { at: expect.any(String), level: 'data' }, lookedOver: undefined });
    await house.verifier.verify(record.id, { level: 'structure' });
    await rm(house.pathOf(record.manifest));
    await house.verifier.verify(record.id, { level: 'structure' });
    expect(await seen()).toEqual({ verified: undefined, lookedOver: undefined });
  });

  it('of another process needs no registry', async () => {
    const { house, record } = await taken();
    await rm(house.models, { recursive: true });
    expect(await house.verifier.verify(record.id, { level: 'data' })).toMatchObject({ ok: true });
  });

  it('names what is missing and what has another size, and the snapshot is damaged until all is well again', async () => {
    const { house, record, manifest } = await taken();
    const [one, two] = manifest.objects;
    await rm(house.pathOf(one!.stored));
    await rewrite(house.pathOf(two!.stored), 'longer');
    const report = await house.verifier.verify(record.id, { level: 'structure' });
    expect(problemsOf(report)).toEqual([`${one!.path} missing`, `${two!.path} size`]);
    expect((await house.inventory.find(record.id)).verified).toBeUndefined();
    await house.take({ rehash: true });
    expect(await house.verifier.verify(record.id, { level: 'data' })).toMatchObject({ ok: true });
    expect((await house.inventory.find(record.id)).damaged).toBeUndefined();
  });

  it('heals: what it found damaged is written again by the next snapshot, and by that only', async () => {
    const { house, record, manifest } = await taken();
    const [blob] = manifest.objects;
    await flipBit(house.pathOf(blob!.stored), 1, 3);
    expect((await house.take()).newBytes).toBeLessThan(6000);
    expect(problemsOf(await house.verifier.verify(record.id, { level: 'data' }))).toEqual([`${blob!.path} digest`]);
    await house.take();
    expect(await house.verifier.verify(record.id, { level: 'data' })).toMatchObject({ ok: true });
  });

  it.each([{}, { key: KEY, encrypt: true }])('finds and names each of 200 bits flipped in 200 objects: %j', async (settings) => {
    const house = await fresh(settings);
    await publishMany(house, 200);
    const record = await house.take();
    const { objects } = await house.manifests.of(record.id);
    const random = mulberry32(Number(process.env.BACKUP_SEED ?? 12));
    const blobs = objects.filter(({ kind }) => kind === 'blob');
    expect(blobs).toHaveLength(200);
    for (const { stored, storedBytes } of blobs)
      await flipBit(house.pathOf(stored), Math.floor(random() * storedBytes), Math.floor(random() * 8));
    const report = await house.verifier.verify(record.id, { level: 'data' });
    expect(report.findings.map(({ object }) => object)).toEqual(blobs.map(({ path }) => path));
    expect(report.findings.map(({ path }) => path)).toEqual(blobs.map(({ stored }) => `blobs/sha256/${stored.slice(0, 2)}/${stored}`));
  });

  it('in seven parts reads every one of 2 000 objects exactly once, whatever the order of the parts', async () => {
    const house = await fresh();
    await publishMany(house, 2000);
    const record = await house.take();
    const names: string[] = [];
    const { read } = house.blobs;
    const { objects } = await house.manifests.of(record.id);
    const spy = jest.spyOn(house.blobs, 'read').mockImplementation(function (this: BackupHouse['blobs'], name) {
      names.push(name);
      return read.call(house.blobs, name);
    });
    const reports: VerifyReport[] = [];
    for (const n of [3, 1, 7, 5, 2, 6, 4]) reports.push(await house.verifier.verify(record.id, { level: 'data', subset: { n, t: 7 } }));
    spy.mockRestore();
    const manifests = new Set([record.manifest]);
    expect(names.filter((name) => !manifests.has(name)).sort()).toEqual(objects.map(({ stored }) => stored).sort());
    expect(reports.reduce((sum, { objectsRead }) => sum + objectsRead, 0)).toBe(objects.length);
    expect(Math.min(...reports.map(({ objectsRead }) => objectsRead))).toBeGreaterThan(200);
    expect(await house.inventory.find(record.id)).toMatchObject({ verified: { level: 'structure' } });
  }, 60_000);

  it('ends where its watcher wants no more', async () => {
    const { house, record } = await taken();
    await expect(house.verifier.verify(record.id, { level: 'data', signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });

  it('is told, and why it is not written down, where nothing can be written', async () => {
    const { house, record } = await taken();
    jest.spyOn(house.repository, 'commit').mockRejectedValueOnce(Object.assign(new Error('read only'), { code: 'EROFS', syscall: 'open' }));
    expect(await house.verifier.verify(record.id, { level: 'structure' })).toMatchObject({ ok: true, unrecorded: 'read only' });
  });
});

describe('somebody who can write to backups/ and has no key', () => {
  const evil = Buffer.from('six');
  const swap = (object: SnapshotObject): SnapshotObject =>
    object.kind === 'blob' && object.sha256 === hashOf('one') ? { ...object, ...namesOf(evil) } : object;
  const namesOf = (bytes: Buffer): Pick<SnapshotObject, 'path' | 'sha256' | 'stored'> & { bytes: number; storedBytes: number } => {
    const sha256 = hashOf(bytes);
    return { sha256, stored: sha256, path: `blobs/sha256/${sha256.slice(0, 2)}/${sha256}`, bytes: bytes.length, storedBytes: bytes.length };
  };
  const swapped = ({ objects, models: _models, ...rest }: SnapshotManifest): object => ({
    ...rest,
    objects: objects.map(swap).sort((a, b) => (a.path < b.path ? -1 : 1)),
  });

  it('cannot change an object and make every sum right: the signature is wrong', async () => {
    const { house, record } = await taken({ key: KEY });
    await rewrite(house.pathOf(hashOf(evil)), evil);
    await forge(house, record, swapped);
    const report = await house.verifier.verify(record.id, { level: 'structure' });
    expect(problemsOf(report)).toEqual(['manifest signature']);
  });

  it('cannot take the signature off: an unsigned snapshot is refused, unless that is allowed', async () => {
    const { house, record } = await taken({ key: KEY });
    await forge(house, record, ({ signature: _signature, ...rest }) => rest);
    await expect(house.verifier.verify(record.id, { level: 'structure' })).rejects.toMatchObject({ code: 'SNAPSHOT_UNSIGNED' });
    expect(await house.verifier.verify(record.id, { level: 'structure', allowUnsigned: true })).toMatchObject({ signature: 'unsigned' });
  });

  it('cannot have its bytes signed by the next snapshot', async () => {
    const { house, record } = await taken({ key: KEY });
    await rewrite(house.pathOf(hashOf(evil)), evil);
    await forge(house, record, swapped);
    const next = await house.take();
    const { objects } = await house.manifests.of(next.id);
    expect(objects.map(({ stored }) => stored)).not.toContain(hashOf(evil));
    expect(await house.verifier.verify(next.id, { level: 'data' })).toMatchObject({ ok: true, signature: 'valid' });
  });

  it('cannot put another snapshot in the place of one that a later one followed', async () => {
    const { house, record } = await taken({ key: KEY });
    const next = await house.take();
    await rm(eventPath(house, 2)); // chained to the event that is forged: written again after it
    const said = await readFile(eventPath(house, 1), 'utf8');
    await forge(house, record, ({ trigger: _trigger, ...rest }) => ({ ...rest, trigger: 'schedule' }));
    expect(await readFile(eventPath(house, 1), 'utf8')).not.toBe(said);
    const { id, seq: registrySeq, ...fields } = next;
    await house.repository.commit(() => ({ ...fields, kind: 'snapshot.completed', id, registrySeq, actor: 'eve', correlationId: 'eve' }));
    expect(problemsOf(await house.verifier.verify(id, { level: 'structure' }))).toEqual(['manifest parent']);
  });

  it('is found by the data even where nothing is signed: the events name other bytes', async () => {
    const { house, record } = await taken();
    await rewrite(house.pathOf(hashOf(evil)), evil);
    await forge(house, record, swapped);
    expect(problemsOf(await house.verifier.verify(record.id, { level: 'data' }))).toContain('manifest contradiction');
  });

  it('cannot put another history in the place of the log', async () => {
    const { house, record } = await taken({ key: KEY });
    const other = await taken({ key: OTHER_KEY });
    const events = other.manifest.objects.find(({ kind }) => kind === 'events');
    await rewrite(house.pathOf(events!.stored), await readFile(other.house.pathOf(events!.stored)));
    await forge(house, record, ({ objects, models: _models, ...rest }) => ({
      ...rest,
      head: other.manifest.head,
      objects: objects.map((object) => (object.kind === 'events' ? events : object)),
    }));
    expect(problemsOf(await house.verifier.verify(record.id, { level: 'data' }))).toEqual(
      expect.arrayContaining(['manifest signature', 'manifest contradiction']),
    );
  });

  it('cannot swap two encrypted objects, nor cut one, nor turn its pieces round', async () => {
    const house = await fresh({ key: KEY, encrypt: true });
    await house.publish('iris', 'a'.repeat(200_000));
    await house.publish('iris', 'b'.repeat(200_000));
    const record = await house.take();
    const { objects } = await house.manifests.of(record.id);
    const [one, two] = objects.filter(({ kind }) => kind === 'blob') as [SnapshotObject, SnapshotObject];
    const { encryption } = await house.manifests.of(record.id);
    const open = (object: SnapshotObject): Promise<unknown> => buffer(house.objects.read(object, encryption));
    await expect(open(one)).resolves.toBeDefined();
    await expect(open({ ...one, stored: two.stored })).rejects.toMatchObject({ code: 'SNAPSHOT_DAMAGED' });
    await expect(open({ ...one, kind: 'events' } as never)).rejects.toMatchObject({ code: 'SNAPSHOT_DAMAGED' });
    const bytes = await readFile(house.pathOf(one.stored));
    const piece = 65_536 + 16;
    const head = bytes.length - 3 * piece - (200_000 - 3 * 65_536 + 16);
    const turned = Buffer.concat([
      bytes.subarray(0, head),
      bytes.subarray(head + piece, head + 2 * piece),
      bytes.subarray(head, head + piece),
      bytes.subarray(head + 2 * piece),
    ]);
    for (const changed of [
      turned,
      bytes.subarray(0, -1),
      bytes.subarray(0, head + piece),
      bytes.subarray(0, 20),
      Buffer.concat([bytes, bytes]),
    ]) {
      await rewrite(house.pathOf(one.stored), changed);
      await expect(open({ ...one, storedBytes: changed.length })).rejects.toMatchObject({ code: 'SNAPSHOT_DAMAGED' });
    }
  });
});

describe('the key', () => {
  it('that is set later strands no older snapshot', async () => {
    const { house, record } = await taken();
    const later = await BackupHouse.on(house.root, { key: KEY });
    await expect(later.verifier.verify(record.id, { level: 'data' })).rejects.toMatchObject({ code: 'SNAPSHOT_UNSIGNED' });
    expect(await later.verifier.verify(record.id, { level: 'data', allowUnsigned: true })).toMatchObject({
      ok: true,
      signature: 'unsigned',
    });
    const next = await later.take();
    expect(next).toMatchObject({ signed: true });
    expect(next.newBytes).toBeLessThan(6000);
    expect(await later.verifier.verify(next.id, { level: 'data' })).toMatchObject({ ok: true, signature: 'valid' });
  });

  it('that is wrong is said before anything is read or written', async () => {
    const { house, record } = await taken({ key: KEY, encrypt: true });
    const before = await readdir(join(house.backups, 'log'));
    const other = await BackupHouse.on(house.root, { key: OTHER_KEY, encrypt: true });
    await expect(other.verifier.verify(record.id, { level: 'data' })).rejects.toMatchObject({ code: 'BACKUP_KEY_WRONG' });
    expect(await readdir(join(house.backups, 'log'))).toEqual(before);
  });

  it('is not needed to see that everything is there', async () => {
    const { house, record } = await taken({ key: KEY, encrypt: true });
    const without = await BackupHouse.on(house.root);
    expect(await without.verifier.verify(record.id, { level: 'structure' })).toMatchObject({ ok: true, signature: 'unchecked' });
    await expect(without.verifier.verify(record.id, { level: 'data' })).rejects.toMatchObject({ code: 'BACKUP_KEY_WRONG' });
  });
});

describe('the inventory', () => {
  it('reads the disk: what was taken away behind its back is damaged, and nothing throws', async () => {
    const { house, record, manifest } = await taken();
    const intact = await house.inventory.list();
    expect(intact[0]).not.toHaveProperty('damaged');
    const blob = manifest.objects.find(({ kind }) => kind === 'blob')!;
    await rename(house.pathOf(blob.stored), `${house.pathOf(blob.stored)}.away`);
    expect(await house.inventory.list()).toMatchObject([{ id: record.id, damaged: [expect.stringContaining(blob.path)] }]);
    await rename(`${house.pathOf(blob.stored)}.away`, house.pathOf(blob.stored));
    expect(await house.inventory.list()).toEqual(intact);
  });

  it.each([
    ['the manifest', async (house: BackupHouse, { manifest }: SnapshotRecord) => rm(house.pathOf(manifest))],
    ['all blobs', async (house: BackupHouse) => rm(join(house.backups, 'blobs'), { recursive: true })],
    ['the log', async (house: BackupHouse) => rm(join(house.backups, 'log'), { recursive: true })],
    ['the form of an event', async (house: BackupHouse) => rewrite(eventPath(house, 1), '{')],
  ])('shows a snapshot as damaged that lost %s', async (_what, harm) => {
    const { house, record } = await taken();
    await harm(house, record);
    const [seen] = await house.inventory.list();
    expect(seen).toMatchObject({ id: record.id, seq: 3 });
    expect(seen!.damaged).not.toEqual([]);
    expect(seen!.damaged).toBeDefined();
  });

  it('shows nothing of a backup that never finished, and of none where there is nothing', async () => {
    const { house, record } = await taken();
    await rm(join(house.backups, 'log'), { recursive: true });
    await rm(join(house.backups, 'snapshots'), { recursive: true });
    expect(await house.inventory.list()).toEqual([]);
    await expect(house.inventory.find(record.id)).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' });
    await expect(house.manifests.of('../../etc/passwd')).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' });
    await rm(house.backups, { recursive: true });
    expect(await house.inventory.list()).toEqual([]);
  });

  it('makes plain copies again that are missing, with the next snapshot', async () => {
    const { house, record } = await taken();
    const copy = join(house.backups, 'snapshots', `${record.id}.json`);
    const bytes = await readFile(copy);
    await rm(join(house.backups, 'snapshots'), { recursive: true });
    await house.take();
    expect(await readFile(copy)).toEqual(bytes);
  });

  it('reads a manifest from its plain copy where the blob is damaged', async () => {
    const { house, record, manifest } = await taken();
    await rewrite(house.pathOf(record.manifest), '{}');
    expect(await house.manifests.of(record.id)).toEqual(manifest);
    expect(problemsOf(await house.verifier.verify(record.id, { level: 'structure' }))).toEqual(['manifest digest']);
    await rewrite(join(house.backups, 'snapshots', `${record.id}.json`), formatManifest({ ...manifest, seq: 2 }));
    await expect(house.manifests.of(record.id)).rejects.toMatchObject({ code: 'SNAPSHOT_DAMAGED' });
  });

  it('passes over what is not ours', async () => {
    const { house } = await taken();
    const before = await house.inventory.list();
    await writeFile(join(house.backups, 'snapshots', 'notes.txt'), 'mine');
    await writeFile(join(house.backups, 'snapshots', '20261123T030000Z-1-abcd.json'), '{"format":1}');
    await chmod(join(house.backups, 'snapshots', 'notes.txt'), 0o000);
    expect(await house.inventory.list()).toEqual(before);
  });
});

/** A version of many files, without the whole way of an upload: only what snapshots see of it is needed. */
async function publishMany(house: BackupHouse, count: number): Promise<void> {
  const files: { path: string; size: number; sha256: string }[] = [];
  for (let at = 0; at < count; at++) {
    const content = Buffer.from(`the content of file ${at}`);
    const sha256 = hashOf(content);
    await rewrite(join(house.models, 'blobs', 'sha256', sha256.slice(0, 2), sha256), content);
    files.push({ path: `part-${at}.bin`, size: content.length, sha256 });
  }
  const version = { model: 'iris', version: 1, digest: hashOf('iris'), manifest: { files, metadata: {} } };
  const made = { engine: 'onnx', executable: hashOf('iris'), signature: { inputs: [], outputs: [] } } as const;
  await house.registry.journal.commit('ada', () => ({ kind: 'version.published', ...version, ...made }));
}

/** The well-known small generator of that name: numbers in [0, 1). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
