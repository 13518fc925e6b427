import { execFileSync } from 'node:child_process';
import { chmod, copyFile, cp, mkdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Logger } from '@nestjs/common';
import canonicalize from 'canonicalize';
import { flipBit, KEY, OTHER_KEY, rewrite } from '../../../test/backup/backup-house';
import { DrillHouse, type DrillHouseSettings } from '../../../test/backup/drill-house';
import { linear, padded } from '../../../test/onnx/models';
import { endOwnHosts, hostsOf } from '../../../test/process/processes';
import { hashOf } from '../../storage/stored-event';
import { blobPath } from '../snapshot/read-manifest';
import type { SnapshotManifest, SnapshotObject } from '../snapshot/snapshot-manifest';
import type { SnapshotRecord } from '../snapshot/snapshot-records';
import type { DrillFailure } from './drill-report';

const NOBODY = 65_534;
const MIB = 2 ** 20;
const itMounts = mayMount() ? it : it.skip;

/** Whether a small volume of its own may be made. */
function mayMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('a drill', () => {
  /** `line` with a golden row and `sums` without, in production; one snapshot of them, signed. */
  let template: DrillHouse;
  let record: SnapshotRecord;
  let manifest: SnapshotManifest;
  let house: DrillHouse;
  const houses: DrillHouse[] = [];

  beforeAll(async () => {
    Logger.overrideLogger(false);
    template = await DrillHouse.fresh({ key: KEY });
    await template.fill(21);
    record = await template.backup.take();
    manifest = await template.backup.manifests.of(record.id);
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await Promise.all(houses.splice(0).map((each) => each.close()));
  });
  afterAll(() => template.close());
  afterAll(endOwnHosts);

  async function fresh(settings: DrillHouseSettings = {}): Promise<DrillHouse> {
    house = await template.copied({ key: KEY, ...settings });
    houses.push(house);
    return house;
  }
  const pathOf = ({ stored }: SnapshotObject): string => house.backup.pathOf(stored);
  const objectPath = ({ stored }: SnapshotObject): string => `blobs/sha256/${stored.slice(0, 2)}/${stored}`;
  const aBlob = (): SnapshotObject => manifest.objects.find(({ kind }) => kind === 'blob') as SnapshotObject;
  const logged = async (id = record.id) => (await house.backup.repository.history()).snapshots.get(id)?.drilled;

  /** Drills the newest, which must fail so, be written down so, and leave nothing. */
  async function expectFailure(failure: Partial<DrillFailure>): Promise<void> {
    const drilled = await house.drill();
    expect(drilled).toMatchObject({ ok: false, failure: { ...failure, detail: expect.stringMatching(/.{10}/) } });
    expect(await logged(drilled.id)).toMatchObject({ ok: false, failure: drilled.failure });
    expect(await house.leftovers()).toEqual([]);
  }

  /** Puts another manifest in its place, with every sum made right again, as somebody does who can write there. */
  async function forge(change: (manifest: SnapshotManifest) => object): Promise<void> {
    const { backup } = house;
    const bytes = Buffer.from(canonicalize(change(manifest)) as string);
    await rewrite(backup.pathOf(hashOf(bytes)), bytes);
    await rm(backup.pathOf(record.manifest));
    await rewrite(join(backup.backups, 'snapshots', `${record.id}.json`), bytes);
    const event = join(backup.backups, 'log', `${'1'.padStart(20, '0')}.json`);
    const said = JSON.parse(await readFile(event, 'utf8')) as object;
    await rewrite(event, canonicalize({ ...said, manifest: hashOf(bytes) }) as string);
  }

  it.each([{ key: KEY }, { key: KEY, encrypt: true }])('restores, verifies, loads, replays, and leaves nothing: %j', async (settings) => {
    await fresh(settings);
    const taken = 'encrypt' in settings ? await house.backup.take() : record;
    const before = hostsOf(process.pid);
    const drilled = await house.drill({ id: taken.id });
    expect(drilled).toMatchObject({ id: taken.id, ok: true, newest: true, objects: 3, models: 2, goldenRows: 1 });
    expect(drilled.bytes).toBe(taken.bytes);
    expect(drilled.ms).toBeGreaterThanOrEqual(drilled.restoreMs + drilled.verifyMs + drilled.loadMs + drilled.replayMs - 4);
    expect(drilled.restoreMs * drilled.loadMs).toBeGreaterThan(0);
    expect(await logged(taken.id)).toMatchObject({ ok: true, ms: drilled.ms });
    expect(await house.leftovers()).toEqual([]);
    expect(hostsOf(process.pid)).toEqual(before);
  });

  it('takes the newest and an older one that is not deleted, and no other', async () => {
    await fresh();
    const { backup } = house;
    const second = await backup.take();
    const third = await backup.take();
    await backup.repository.commit(() => ({
      kind: 'snapshot.deleted',
      ids: [second.id],
      reason: 'so',
      actor: 'ada',
      correlationId: 'test',
    }));
    const report = await house.driller.drill({ actor: 'ada' });
    expect(report.snapshots.map(({ id, newest, ok }) => [id, newest, ok])).toEqual([
      [third.id, true, true],
      [record.id, false, true],
    ]);
    await expect(house.driller.drill({ actor: 'ada', id: second.id })).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' });
  });

  it('never runs twice at once', async () => {
    await fresh();
    let [now, most] = [0, 0];
    const { ground } = house;
    const { drill } = ground;
    jest.spyOn(ground, 'drill').mockImplementation(async (...args) => {
      most = Math.max(most, ++now);
      const outcome = await drill.apply(ground, args);
      now--;
      return outcome;
    });
    const both = await Promise.all([house.drill(), house.drill()]);
    expect(both.map(({ ok }) => ok)).toEqual([true, true]);
    expect(most).toBe(1);
  });

  it('is ended by its signal, with nothing left and nothing written down', async () => {
    await fresh();
    const stop = new AbortController();
    const drilling = house.drill({ signal: stop.signal, progress: () => stop.abort() });
    await expect(drilling).rejects.toMatchObject({ name: 'AbortError' });
    expect(await logged()).toBeUndefined();
    expect(await house.leftovers()).toEqual([]);
  });

  it('is ended while it loads, and its engine with it', async () => {
    await fresh();
    const stop = new AbortController();
    const { ground } = house;
    const { open } = ground;
    Object.assign(ground, {
      open: () => {
        setTimeout(() => stop.abort(), 20);
        return open();
      },
    });
    await expect(house.drill({ signal: stop.signal })).rejects.toMatchObject({ name: 'AbortError' });
    expect(await logged()).toBeUndefined();
    expect(await house.leftovers()).toEqual([]);
  });

  describe('names what is wrong:', () => {
    it('a missing blob', async () => {
      await fresh();
      await rm(pathOf(aBlob()));
      await expectFailure({ phase: 'restoring', reason: 'missing', objects: [objectPath(aBlob())] });
    });

    it('a flipped bit', async () => {
      await fresh();
      await flipBit(pathOf(aBlob()), 40, 3);
      await expectFailure({ phase: 'restoring', reason: 'digest', objects: [objectPath(aBlob())] });
    });

    it('every object, where several are damaged', async () => {
      await fresh();
      const blobs = manifest.objects.filter(({ kind }) => kind === 'blob');
      for (const blob of blobs) await flipBit(pathOf(blob), 40, 3);
      const { failure } = await house.drill();
      expect([...(failure?.objects ?? [])].sort()).toEqual(blobs.map(objectPath).sort());
      expect(blobs).toHaveLength(2);
    });

    it('one that was truncated', async () => {
      await fresh();
      await chmod(pathOf(aBlob()), 0o644);
      await truncate(pathOf(aBlob()), 10);
      await expectFailure({ phase: 'restoring', reason: 'size', objects: [objectPath(aBlob())] });
    });

    it('a wrong signature', async () => {
      await fresh();
      await forge(({ trigger: _trigger, ...rest }) => ({ ...rest, trigger: 'schedule' }));
      await expectFailure({ phase: 'restoring', reason: 'signature' });
    });

    it('a newer schema', async () => {
      await fresh();
      await forge((said) => ({ ...said, format: 2 }));
      await expectFailure({ phase: 'restoring', reason: 'newer', detail: expect.stringContaining('Upgrade') });
    });

    it('a folder that cannot be read', async () => {
      await fresh();
      const folder = dirname(pathOf(aBlob()));
      execFileSync('chown', ['-R', String(process.getuid?.() === 0 ? NOBODY : process.getuid?.()), house.backup.root]);
      const asNobody = process.getuid?.() === 0; // whom a mode keeps out
      await chmod(folder, 0);
      if (asNobody) process.seteuid?.(NOBODY);
      try {
        await expectFailure({ phase: 'restoring', reason: 'unreadable', objects: [objectPath(aBlob())] });
      } finally {
        if (asNobody) process.seteuid?.(0);
        await chmod(folder, 0o755);
      }
    });

    it('a lack of space, before anything is written', async () => {
      await fresh({ minFreeBytes: String(2 ** 49) });
      await expectFailure({ phase: 'restoring', reason: 'no-space', objects: [] });
    });

    /** Does harm to the scratch folder between the restore and the look at it. */
    function afterRestore(harm: (scratch: string) => Promise<void>): void {
      const { sources } = house.backup;
      const { open } = sources;
      jest.spyOn(sources, 'open').mockImplementation(async (...args) => {
        const source = await open.apply(sources, args);
        const close = async (): Promise<void> => {
          await source.close();
          const [name] = await house.leftovers();
          await harm(join(house.backup.backups, '.staging', name as string));
        };
        return { ...source, close };
      });
    }

    it('bytes that the disk under the scratch did not keep', async () => {
      await fresh();
      afterRestore((scratch) => flipBit(join(scratch, 'blobs', 'sha256', aBlob().sha256.slice(0, 2), aBlob().sha256), 40, 3));
      await expectFailure({ phase: 'verifying', reason: 'digest', objects: [blobPath(aBlob().sha256)] });
    });

    it('a restored registry that is another one', async () => {
      await fresh();
      afterRestore((scratch) => rm(join(scratch, 'log', `${'4'.padStart(20, '0')}.json`)));
      await expectFailure({ phase: 'verifying', reason: 'chain', objects: ['log'] });
    });

    itMounts('a volume that is full before all of it is restored', async () => {
      await fresh();
      const { backups } = house.backup;
      const aside = `${backups}-aside`;
      await house.publish('large', padded(3 * MIB));
      await house.backup.take();
      await rename(backups, aside);
      await mkdir(backups);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=5m', 'tmpfs', backups]);
      try {
        await cp(aside, backups, { recursive: true });
        await expectFailure({ phase: 'restoring', reason: 'no-space', objects: [] });
      } finally {
        execFileSync('umount', [backups]);
      }
    });

    it('an engine that crashes, and the model', async () => {
      await fresh({ faulty: true });
      await house.publish('doom', linear([[3]]), { golden: [{ inputs: { x: [[1001]] }, outputs: { y: [[3003]] } }] });
      await house.backup.take();
      await expectFailure({ phase: 'replaying', reason: 'engine-crashed', objects: ['models/doom/1'] });
      expect(await house.drill()).toMatchObject({ models: 2, goldenRows: 1 }); // the others were tried all the same
    });

    it('an engine that hangs, and the model', async () => {
      await fresh({ faulty: true });
      await house.publish('doom', linear([[3]]), { golden: [{ inputs: { x: [[1005]] }, outputs: { y: [[3015]] } }] });
      await house.backup.take();
      await expectFailure({ phase: 'replaying', reason: 'engine-deadline', objects: ['models/doom/1'] });
    });

    it('a golden row that is answered otherwise, and the model', async () => {
      await fresh();
      await house.publish('drift', linear([[3]]), { golden: [{ inputs: { x: [[1]] }, outputs: { y: [[6]] } }] }, 2);
      await house.backup.take();
      await expectFailure({
        phase: 'replaying',
        reason: 'golden-mismatch',
        objects: ['models/drift/1'],
        detail: 'it does not answer what metadata.golden[0].outputs.y[0][0] says: expected 6, actual 3',
      });
    });

    it('another key', async () => {
      await fresh();
      const { root } = house.backup;
      house = await DrillHouse.on(root, { key: OTHER_KEY });
      houses.push(house);
      await expectFailure({ phase: 'restoring', reason: 'key', objects: [] });
    });

    it('a link in the tree, also where it leads to the very bytes', async () => {
      await fresh();
      const elsewhere = join(house.backup.root, 'elsewhere');
      await copyFile(pathOf(aBlob()), elsewhere);
      await rm(pathOf(aBlob()));
      await symlink(elsewhere, pathOf(aBlob()));
      await expectFailure({ phase: 'restoring', reason: 'link', objects: [objectPath(aBlob())] });
    });

    it('one that lost its signature, where there is a key', async () => {
      await fresh();
      await forge(({ signature: _signature, ...rest }) => rest);
      await expectFailure({ phase: 'restoring', reason: 'unsigned' });
      expect(await house.drill({ allowUnsigned: true })).toMatchObject({ ok: true });
    });
  });

  it('is not hindered by what a process left that was killed: a pin, a scratch folder, staged files', async () => {
    await fresh();
    const { backup } = house;
    const until = new Date(Date.now() + 3_600_000).toISOString();
    await backup.repository.commit(() => ({
      kind: 'snapshot.pinned',
      id: record.id,
      pin: 'of somebody who is dead',
      until,
      actor: 'ada',
      correlationId: 'test',
    }));
    const gone = execFileSync(process.execPath, ['-e', 'console.log(process.pid)'], { encoding: 'utf8' }).trim();
    const { OWNER_PREFIX } = jest.requireActual<{ OWNER_PREFIX: string }>('../../storage/staging-owner');
    const left = join(backup.backups, '.staging', `${OWNER_PREFIX.replace(/-\d+-/, `-${gone}-`)}left`);
    await mkdir(join(left, 'blobs'), { recursive: true });
    await writeFile(join(left, 'blobs', 'much'), Buffer.alloc(2 ** 20));
    expect(await house.drill()).toMatchObject({ ok: true });
    expect(await house.leftovers()).toEqual([]);
  });

  it('writes down which run it is of, and whether that is over', async () => {
    await fresh();
    await house.backup.take();
    await house.driller.drill({ actor: 'ada' });
    const events: object[] = [];
    for (let seq = 1; ; seq++) {
      const path = join(house.backup.backups, 'log', `${String(seq).padStart(20, '0')}.json`);
      const text = await readFile(path, 'utf8').catch(() => undefined);
      if (text === undefined) break;
      events.push(JSON.parse(text) as object);
    }
    const drilled = events.filter((event) => 'kind' in event && event.kind === 'snapshot.drilled') as { run: string; last: boolean }[];
    expect(drilled.map(({ last }) => last)).toEqual([false, true]);
    expect(new Set(drilled.map(({ run }) => run)).size).toBe(1);
  });
});
