import { mkdtempSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Logger } from '@nestjs/common';
import { BackupPlace } from '../../../test/backup/backup-place';
import { DurableFiles } from '../../storage/durable-files';
import { FileBlobStore } from '../../storage/file-blob.store';
import type { BlobName } from '../../storage/blob-store.port';
import type { SnapshotRecord } from '../snapshot/snapshot-records';
import { MIN_AGE_MS } from './pruner';

const DAY_MS = 24 * 3_600_000;
const START = Date.UTC(2026, 10, 1, 3);

/** What a test wants to happen in between happens before an object is taken away. */
class WatchedBlobs extends FileBlobStore {
  beforeRemove: (name: BlobName) => Promise<void> = async () => {};

  override async remove(name: BlobName): Promise<void> {
    await this.beforeRemove(name);
    await super.remove(name);
  }
}

describe('Pruner', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'pruner-'));
  let root: string;
  let place: BackupPlace;
  let blobs: WatchedBlobs;
  let nights = 0;

  beforeAll(() => {
    Logger.overrideLogger(false);
    jest.spyOn(DurableFiles.prototype, 'flush').mockResolvedValue(); // nothing here is about power cuts
  });
  beforeEach(async () => {
    // only the clock stands: what waits goes on waiting by the real one
    jest.useFakeTimers({
      now: START,
      doNotFake: ['nextTick', 'setImmediate', 'setTimeout', 'setInterval', 'queueMicrotask', 'performance'],
    });
    nights = 0;
    root = await mkdtemp(join(scratch, 'place-'));
    blobs = new WatchedBlobs(join(root, 'backups'));
    place = await BackupPlace.on(root, { keepDaily: 2 }, blobs);
  });
  afterEach(() => {
    jest.useRealTimers();
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    await rm(scratch, { recursive: true, force: true });
  });

  /** The next night a model of its own is uploaded and a snapshot taken. */
  const night = async (): Promise<SnapshotRecord> => {
    jest.setSystemTime(START + nights++ * DAY_MS);
    return place.backup(`night ${'n'.repeat(nights)}`);
  };
  const later = (ms: number): void => jest.setSystemTime(Date.now() + ms);
  const there = async (): Promise<readonly string[]> =>
    (await place.inventory.list()).filter(({ deleted }) => deleted === undefined).map(({ id }) => id);

  it('plans without changing anything, and then does exactly that', async () => {
    const [first, second, third] = [await night(), await night(), await night()];
    const [stored, seq] = [await place.stored(), (await place.repository.history()).position.seq];
    const plan = await place.pruner.plan();
    expect(plan).toMatchObject({
      seq,
      policy: { daily: 2 },
      zone: 'UTC',
      delete: [first.id],
      collect: { condemn: [], remove: [], bytes: 0 },
    });
    expect(plan.snapshots.map(({ id, keep }) => [id, keep])).toEqual([
      [third.id, true],
      [second.id, true],
      [first.id, false],
    ]);
    expect([await place.stored(), (await place.repository.history()).position.seq]).toEqual([stored, seq]);
    expect(await place.pruner.apply(plan, 'ada')).toEqual({ deleted: [first.id], condemned: [], removed: [], bytes: 0 });
    expect(await there()).toEqual([third.id, second.id]);
    expect(await place.stored()).toEqual(stored);
    expect(await place.events('snapshot.deleted')).toMatchObject([{ ids: [first.id], reason: 'retention', actor: 'ada' }]);
  });

  it('survives being written down and read again as JSON', async () => {
    await night();
    await night();
    const first = await night();
    const plan = JSON.parse(JSON.stringify(await place.pruner.plan()));
    expect((await place.pruner.apply(plan, 'ada')).deleted).toHaveLength(1);
    expect(await there()).toContain(first.id);
  });

  it('deletes many by one event, so that a plan is done whole or not at all', async () => {
    for (let count = 0; count < 6; count++) await night();
    expect((await place.pruner.prune('ada')).deleted).toHaveLength(4);
    expect(await place.events('snapshot.deleted')).toHaveLength(1);
  });

  it('refuses a plan where a snapshot came meanwhile, and does nothing', async () => {
    for (let count = 0; count < 3; count++) await night();
    const plan = await place.pruner.plan();
    await night();
    const stored = await place.stored();
    await expect(place.pruner.apply(plan, 'ada')).rejects.toMatchObject({ code: 'PLAN_OUTDATED' });
    expect(await place.events('snapshot.deleted')).toEqual([]);
    expect(await place.stored()).toEqual(stored);
  });

  it('refuses a plan that somebody changed', async () => {
    const newest = [await night(), await night()].at(-1)!;
    const plan = await place.pruner.plan();
    await expect(place.pruner.apply({ ...plan, delete: [newest.id] }, 'ada')).rejects.toMatchObject({ code: 'PLAN_OUTDATED' });
    expect(await there()).toHaveLength(2);
  });

  it('takes objects away that were seen unneeded twice, a day apart, and no others; the event comes first', async () => {
    const first = await night();
    const own = await place.manifests.of(first.id);
    await night();
    await night();
    await place.pruner.prune('ada');
    later(MIN_AGE_MS - 1);
    expect((await place.pruner.prune('ada')).removed).toEqual([]);
    later(1);
    const events: number[] = [];
    blobs.beforeRemove = async () => void events.push((await place.events('blobs.condemned')).length);
    const { removed, condemned, bytes } = await place.pruner.prune('ada');
    // the blob of the model is in the later snapshots too; the segment of the log and the manifest are its own
    const segment = own.objects.find(({ kind }) => kind === 'events')!;
    expect(removed).toEqual([segment.sha256, first.manifest].sort());
    expect(condemned).toEqual(removed);
    expect(bytes).toBeGreaterThan(segment.bytes);
    expect(events).toEqual([1, 1]);
    expect(await place.faults()).toEqual([]);
  });

  it('takes away what a backup left that never came to its end, after a day', async () => {
    await night();
    const staged = await blobs.stage(Readable.from([Buffer.from('left')]), 100);
    await blobs.put(staged);
    await place.pruner.prune('ada');
    later(MIN_AGE_MS);
    expect((await place.pruner.prune('ada')).removed).toEqual([staged.digest]);
  });

  it('forgets what it saw where its notes are lost or nonsense, and takes another day', async () => {
    await night();
    const staged = await blobs.stage(Readable.from([Buffer.from('left')]), 100);
    await blobs.put(staged);
    await place.pruner.prune('ada');
    for (const notes of ['[', 'null', '"text"', `{"${staged.digest}":"long ago"}`, `{"${staged.digest}":9e99}`]) {
      later(MIN_AGE_MS);
      await writeFile(join(root, 'backups', 'derived', 'unreferenced', '0.json'), notes);
      expect((await place.pruner.prune('ada')).removed).toEqual([]);
    }
    later(MIN_AGE_MS);
    expect((await place.pruner.prune('ada')).removed).toEqual([staged.digest]);
  });

  it('brings back what was deleted, until its objects are condemned, and then says that they are gone', async () => {
    const first = await night();
    await night();
    await night();
    await place.pruner.prune('ada');
    await place.pruner.undelete(first.id, 'ada');
    expect(await there()).toContain(first.id);
    expect((await place.pruner.plan()).snapshots.at(-1)).toEqual({ id: first.id, keep: true, reasons: ['undeleted'] });
    await place.pruner.delete(first.id, 'ada', 'not needed');
    await place.pruner.prune('ada');
    later(MIN_AGE_MS);
    await place.pruner.prune('ada');
    await expect(place.pruner.undelete(first.id, 'ada')).rejects.toMatchObject({ code: 'SNAPSHOT_COLLECTED' });
    expect(await place.events('snapshot.undeleted')).toHaveLength(1);
    expect(await place.faults()).toEqual([]);
  });

  it('lets what was deleted come back for a whole day, also where its objects were seen unneeded long before', async () => {
    const first = await night();
    await night();
    await night();
    await place.pruner.prune('ada');
    await place.pruner.undelete(first.id, 'ada');
    later(10 * DAY_MS);
    await place.pruner.delete(first.id, 'ada', 'not needed');
    later(MIN_AGE_MS - 1);
    expect((await place.pruner.prune('ada')).removed).toEqual([]);
    await place.pruner.undelete(first.id, 'ada');
    expect(await place.faults()).toEqual([]);
  });

  it('gives bytes that are needed again after they were condemned another name', async () => {
    await night();
    const staged = await blobs.stage(Readable.from([Buffer.from('again')]), 100);
    await blobs.put(staged);
    await place.pruner.prune('ada');
    later(MIN_AGE_MS);
    await place.pruner.prune('ada');
    const [condemned] = await place.events('blobs.condemned');
    const { id } = await place.backup('again');
    const { objects } = await place.manifests.of(id);
    expect(objects.map(({ stored }) => stored)).toContain(`${staged.digest}.${condemned?.seq}`);
    expect(await place.faults()).toEqual([]);
  });

  it('is finished by the next one where it was killed between the event and the removal', async () => {
    const first = await night();
    await night();
    await night();
    await place.pruner.prune('ada');
    later(MIN_AGE_MS);
    blobs.beforeRemove = () => Promise.reject(new Error('killed'));
    await expect(place.pruner.prune('ada')).rejects.toThrow('killed');
    // its bytes are all there, and may vanish at any time
    await expect(place.pruner.undelete(first.id, 'ada')).rejects.toMatchObject({ code: 'SNAPSHOT_COLLECTED' });
    blobs.beforeRemove = async () => {};
    expect((await place.pruner.prune('ada')).removed).toContain(first.manifest);
    expect(await place.events('blobs.condemned')).toHaveLength(1);
    expect(await place.faults()).toEqual([]);
  });

  it('can only take away the old name where it wakes late', async () => {
    await night();
    const staged = await blobs.stage(Readable.from([Buffer.from('late')]), 100);
    await blobs.put(staged);
    await place.pruner.prune('ada');
    later(MIN_AGE_MS);
    const other = await BackupPlace.on(root, { keepDaily: 2 });
    blobs.beforeRemove = async () => void (await other.backup('late'));
    expect((await place.pruner.prune('ada')).removed).toEqual([staged.digest]);
    expect(await other.faults()).toEqual([]);
  });

  it('condemns nothing that a snapshot of another process took between the plan and the event', async () => {
    await night();
    const staged = await blobs.stage(Readable.from([Buffer.from('wanted')]), 100);
    await blobs.put(staged);
    await place.pruner.prune('ada');
    later(MIN_AGE_MS);
    const other = await BackupPlace.on(root, { keepDaily: 2 });
    const { commit } = place.repository;
    jest.spyOn(place.repository, 'commit').mockImplementationOnce(async (decide) => {
      await other.backup('wanted');
      return commit.call(place.repository, decide);
    });
    expect(await place.pruner.prune('ada')).toMatchObject({ condemned: [], removed: [] });
    expect(await place.events('blobs.condemned')).toEqual([]);
    expect(await place.faults()).toEqual([]);
  });

  it('does it once where two prune at once', async () => {
    for (let count = 0; count < 4; count++) await night();
    const other = await BackupPlace.on(root, { keepDaily: 2 });
    const both = (): Promise<unknown> => Promise.all([place, other, place, other].map(({ pruner }) => pruner.prune('ada')));
    await both();
    expect(await place.events('snapshot.deleted')).toHaveLength(1);
    later(MIN_AGE_MS);
    await both();
    expect(await place.events('blobs.condemned')).toHaveLength(1);
    expect(await there()).toHaveLength(2);
    expect(await place.faults()).toEqual([]);
  });

  it('takes nothing away where nobody can tell what a snapshot needs', async () => {
    const [first] = [await night(), await night()];
    for (const path of [join('blobs', 'sha256', first.manifest.slice(0, 2), first.manifest), join('snapshots', `${first.id}.json`)]) {
      await rm(join(root, 'backups', path));
    }
    const stored = await place.stored();
    await expect(place.pruner.plan()).rejects.toMatchObject({
      code: 'COLLECTION_REFUSED',
      details: { actual: expect.stringContaining(first.id) },
    });
    expect(await place.stored()).toEqual(stored);
  });

  it('takes nothing away where a newer version wrote to the log: it may need anything', async () => {
    await night();
    await place.repository.commit(() => ({ kind: 'snapshot.of-another-day', actor: 'new', correlationId: 'c' }));
    await expect(place.pruner.prune('ada')).rejects.toMatchObject({ code: 'COLLECTION_REFUSED' });
  });

  it('leaves what a snapshot needs that only the disk knows: the log may have been lost', async () => {
    await night();
    await rm(join(root, 'backups', 'log'), { recursive: true });
    place = await BackupPlace.on(root, { keepDaily: 2 });
    await night();
    await place.pruner.prune('ada');
    later(MIN_AGE_MS);
    expect((await place.pruner.prune('ada')).removed).toEqual([]);
  });

  it('deletes by hand what anybody asks for, but never the newest verified one', async () => {
    const [first, second] = [await night(), await night()];
    await expect(place.pruner.delete(second.id, 'ada', 'test')).rejects.toMatchObject({ code: 'NEWEST_VERIFIED' });
    await place.pruner.delete(first.id, 'ada', 'test');
    await place.pruner.delete(first.id, 'ada', 'again');
    expect(await place.events('snapshot.deleted')).toMatchObject([{ ids: [first.id], reason: 'test' }]);
    await expect(place.pruner.undelete(second.id, 'ada')).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_DELETED' });
    const nobody = '20260101T000000Z-1-abcd';
    for (const change of [() => place.pruner.delete(nobody, 'ada', ''), () => place.pruner.undelete(nobody, 'ada')])
      await expect(change()).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' });
  });

  it('ends between two steps where somebody wants it to, and the next one takes away what it left', async () => {
    const aborted = { name: 'AbortError' };
    const [first] = [await night(), await night(), await night()];
    const signal = AbortSignal.abort();
    const deletion = await place.pruner.plan();
    for (const change of [
      () => place.pruner.prune('ada', { signal }),
      () => place.pruner.delete(first.id, 'ada', 'test', signal),
      () => place.pruner.apply(deletion, 'ada', signal),
    ])
      await expect(change()).rejects.toMatchObject(aborted);
    expect(await place.events('snapshot.deleted')).toEqual([]);
    await place.pruner.prune('ada');
    await expect(place.pruner.undelete(first.id, 'ada', signal)).rejects.toMatchObject(aborted);
    later(MIN_AGE_MS);
    const plan = await place.pruner.plan();
    expect(plan.collect.remove.length).toBeGreaterThan(1);
    await expect(place.pruner.apply(plan, 'ada', signal)).rejects.toMatchObject(aborted);
    expect(await place.events('blobs.condemned')).toEqual([]);
    const stop = new AbortController();
    blobs.beforeRemove = async () => stop.abort();
    await expect(place.pruner.prune('ada', { signal: stop.signal })).rejects.toMatchObject(aborted);
    expect(await place.events('blobs.condemned')).toHaveLength(1);
    const left = plan.collect.remove.slice(1);
    expect(await place.stored()).toEqual(expect.arrayContaining([...left]));
    expect((await place.pruner.prune('ada')).removed).toEqual(left);
    expect(await place.faults()).toEqual([]);
  });

  it('deletes nothing by a policy that keeps nothing', async () => {
    place = await BackupPlace.on(root, { keepDaily: 0 });
    await night();
    await expect(place.pruner.prune('ada')).rejects.toMatchObject({ code: 'RETENTION_EMPTY' });
  });
});
