import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { BackupHouse, exists, flipBit, OTHER_KEY } from '../../../test/backup/backup-house';
import { RegistryHouse } from '../../../test/process/registry-house';
import { fsck } from '../../models/upkeep/fsck';
import { FileBlobStore } from '../../storage/file-blob.store';
import { FileEventLog } from '../../storage/file-event.log';
import type { SnapshotRecord } from '../snapshot/snapshot-records';
import { EmptyPlace } from './empty-place';
import type { RestoreOptions, RestoreOutcome } from './restore-plan';

const KEY = 'one key of more than thirty-two bytes, kept elsewhere';

describe('a restore into an empty place', () => {
  let house: BackupHouse;
  let place: string;
  const change = { actor: 'ada' };

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(async () => {
    house = await BackupHouse.fresh();
    place = join(house.root, 'elsewhere', 'models');
  });
  afterEach(() => house.remove());

  async function snapshot(): Promise<SnapshotRecord> {
    await house.publish('iris', 'iris one');
    await house.publish('iris', 'iris two');
    await house.registry.stages.move('iris', 1, 'production', change);
    await house.publish('market', 'market one');
    await house.registry.deletion.deleteVersion('iris', 2, change);
    return house.take();
  }

  async function restore(id: string, options: RestoreOptions = {}): Promise<RestoreOutcome> {
    const source = await house.sources.open(id, 'ada');
    try {
      return await new EmptyPlace(place).restore(source, 'ada', options);
    } finally {
      await source.close();
    }
  }

  async function opened(): Promise<RegistryHouse> {
    const registry = new RegistryHouse(new FileBlobStore(place), new FileEventLog(place));
    await registry.journal.onModuleInit();
    return registry;
  }

  const lost = async (): Promise<string> => {
    const [blob] = house.registry.state.requireVersion('market', 1).blobs as readonly [string];
    return house.pathOf(blob);
  };

  it('makes the very registry, but for its line of history', async () => {
    const { id, seq } = await snapshot();
    const { event, safety } = await restore(id);
    expect([event, safety]).toEqual([seq + 1, undefined]);
    const { state } = await opened();
    const { lineage, models, ...rest } = state.snapshot();
    const was = house.registry.state.snapshot();
    expect(rest).toEqual({ condemned: was.condemned, restored: was.restored });
    expect(lineage).not.toBe(was.lineage);
    expect(models).toEqual(
      was.models.map((model) => ({ ...model, seq: event, updatedAt: expect.any(String), events: [...model.events, event] })),
    );
    expect(state.etagOf('iris')).not.toBe(house.registry.state.etagOf('iris'));
  });

  it('leaves a folder that holds every promise', async () => {
    const { id } = await snapshot();
    await restore(id);
    const findings: unknown[] = [];
    for await (const finding of fsck(place, false)) findings.push(finding);
    expect(findings).toEqual([]);
    expect(await readdir(join(place, '.staging'))).toEqual([]);
  });

  it('brings deleted versions along, to come back', async () => {
    const { id } = await snapshot();
    await restore(id);
    const { deletion, state } = await opened();
    await deletion.undeleteVersion('iris', 2, change);
    expect(state.requireVersion('iris', 2).stage).toBe('staging');
  });

  it('is a registry that goes on: numbers, snapshots, another restore', async () => {
    const { id } = await snapshot();
    await restore(id);
    const registry = await opened();
    expect((await registry.publish('iris', 'iris three')).record.version).toBe(3);
  });

  it('takes a folder whose log is empty', async () => {
    const { id } = await snapshot();
    await mkdir(join(place, 'log'), { recursive: true });
    await restore(id);
    expect((await opened()).state.list()).toHaveLength(2);
  });

  it.each(['a registry', 'a log of others'])('refuses a place with %s, and touches nothing', async (what) => {
    const { id } = await snapshot();
    if (what === 'a registry') await opened();
    else {
      await mkdir(join(place, 'log'), { recursive: true });
      await writeFile(join(place, 'log', 'readme'), 'mine');
    }
    const before = await readdir(join(place, 'log'));
    await expect(restore(id)).rejects.toMatchObject({ code: 'LOG_EXISTS' });
    expect(await readdir(join(place, 'log'))).toEqual(before);
  });

  it('plans without making anything', async () => {
    const { id } = await snapshot();
    const source = await house.sources.open(id, 'ada');
    const plan = await new EmptyPlace(place).plan(source);
    await source.close();
    expect(plan).toMatchObject({ seq: 0, copy: { blobs: 3 }, damaged: [], lost: [] });
    expect(await exists(place)).toBe(false);
    const { event: _event, ...done } = await restore(id);
    expect(done).toEqual(plan);
  });

  it('refuses what is damaged, and leaves the place without a registry', async () => {
    const { id } = await snapshot();
    await flipBit(await lost(), 2, 2);
    await expect(restore(id)).rejects.toMatchObject({ code: 'RESTORE_DAMAGED', lost: [{ model: 'market', version: 1 }] });
    expect(await exists(join(place, 'log'))).toBe(false);
  });

  it('restores the versions that are whole where that is wanted, and the rest as deleted', async () => {
    const { id } = await snapshot();
    await rm(await lost(), { force: true });
    await restore(id, { partial: true });
    const { state, deletion } = await opened();
    expect(state.requireVersion('iris', 1).stage).toBe('production');
    expect([...state.require('market').deletedVersions.keys()]).toEqual([1]);
    await expect(deletion.undeleteVersion('market', 1, change)).rejects.toMatchObject({ code: 'BYTES_COLLECTED' });
    const findings: unknown[] = [];
    for await (const finding of fsck(place, false)) findings.push(finding);
    expect(findings).toEqual([]);
  });

  it('restores what a registry was that was restored itself, partly and whole', async () => {
    const { id } = await snapshot();
    await house.publish('iris', 'iris three');
    await house.restore(id);
    await house.publish('iris', 'iris four');
    const then = house.registry.state.snapshot().models.map(({ versions }) => versions);
    const next = await house.take();
    await restore(next.id);
    expect((await opened()).state.snapshot().models.map(({ versions }) => versions)).toEqual(then);
  });

  it('refuses a log that does not hold together, also in part', async () => {
    const { id } = await snapshot();
    const { objects } = await house.manifests.of(id);
    const events = objects.find(({ kind }) => kind === 'events');
    await flipBit(house.pathOf(events?.stored as string), 40, 1);
    await expect(restore(id, { partial: true })).rejects.toMatchObject({ code: 'SNAPSHOT_DAMAGED' });
    expect(await exists(join(place, 'log'))).toBe(false);
  });

  it('restores an encrypted snapshot, with its key only', async () => {
    await house.remove();
    house = await BackupHouse.fresh({ key: KEY, encrypt: true });
    const { id } = await snapshot();
    await restore(id);
    expect((await opened()).state.list().map(({ name }) => name)).toEqual(['iris', 'market']);
    const other = await BackupHouse.on(house.root, { key: OTHER_KEY, encrypt: true });
    await expect(other.sources.open(id, 'ada')).rejects.toMatchObject({ code: 'BACKUP_KEY_WRONG' });
  });
});
