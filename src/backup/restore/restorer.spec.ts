import { cp, readdir, rm } from 'node:fs/promises';
import { Logger } from '@nestjs/common';
import { BackupHouse, flipBit } from '../../../test/backup/backup-house';
import { seen, seenOf as all } from '../../../test/backup/seen-registry';
import { LOG_START } from '../../storage/event-log.port';
import { FileEventLog } from '../../storage/file-event.log';
import type { SnapshotRecord } from '../snapshot/snapshot-records';

describe('a restore into a registry that lives', () => {
  let house: BackupHouse;
  const change = { actor: 'ada' };
  const registry = () => house.registry;
  const now = (): object => all(registry().state);

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(async () => {
    house = await BackupHouse.fresh();
  });
  afterEach(() => house.remove());

  /** iris: 1 in production, 2 in staging with an alias; market: 1 archived. */
  async function yesterday(): Promise<SnapshotRecord> {
    const { stages, description } = registry();
    await house.publish('iris', 'iris one');
    await house.publish('iris', 'iris two');
    await stages.move('iris', 1, 'production', change);
    await description.setAlias('iris', 'champion', 2, change);
    await description.describe('iris', { description: 'of flowers', tags: ['a'] }, change);
    await house.publish('market', 'market one');
    return house.take();
  }

  /** What went wrong since: another version promoted, a model deleted, one that is new. */
  async function today(): Promise<void> {
    const { stages, description, deletion } = registry();
    await house.publish('iris', 'iris three');
    await stages.move('iris', 3, 'production', change);
    await description.removeAlias('iris', 'champion', change);
    await deletion.deleteModel('market', change);
    await house.publish('fraud', 'fraud one');
  }

  it('makes everything what it was, by one event, and the safety snapshot brings back what was there', async () => {
    const before = await yesterday();
    const then = now();
    await today();
    const wrong = now();
    const { seq } = registry().state.position;
    const outcome = await house.restore(before.id);
    expect(now()).toEqual(then);
    expect(outcome).toMatchObject({ snapshot: before.id, event: seq + 1, seq, conflicts: [], damaged: [], lost: [] });
    expect(registry().state.position.seq).toBe(seq + 1);
    await house.restore(outcome.safety as string);
    expect(now()).toEqual(wrong);
    expect(registry().state.position.seq).toBe(seq + 2);
  });

  it('keeps history, and numbers run on', async () => {
    const { id } = await yesterday();
    await today();
    await house.restore(id);
    expect(await house.publish('iris', 'iris four')).toBe(4);
    const { events } = registry().state.require('iris');
    const kinds = await Promise.all(events.map(async (seq) => (await registry().log.event(seq)).kind));
    expect(kinds.slice(-3)).toEqual(['alias.removed', 'registry.restored', 'version.published']);
  });

  it('leaves what only the other line had as deleted, to come back', async () => {
    const { id } = await yesterday();
    await today();
    await house.restore(id);
    await registry().deletion.undeleteVersion('iris', 3, change);
    await registry().deletion.undeleteModel('fraud', change);
    expect(now()).toMatchObject({
      iris: {
        stages: [
          [1, 'production'],
          [2, 'staging'],
          [3, 'production'],
        ].map(expect.arrayContaining),
      },
      fraud: {},
    });
  });

  it('gives every model another ETag, in the same line of history', async () => {
    const { id } = await yesterday();
    await today();
    const { state } = registry();
    const before = ['iris', 'fraud', 'market'].map((name) => state.etagOf(name));
    await house.restore(id);
    expect(['iris', 'fraud', 'market'].map((name) => state.etagOf(name))).not.toEqual(
      expect.arrayContaining([expect.stringMatching(before.join('|'))]),
    );
    expect(new Set(['iris', 'fraud', 'market'].map((name) => state.etagOf(name))).size).toBe(1);
  });

  it('is read by every other process from the log alone, with a checkpoint and without', async () => {
    const { id } = await yesterday();
    const then = now();
    await today();
    const running = await BackupHouse.on(house.root);
    await house.restore(id);
    await running.registry.journal.readOn();
    expect(all(running.registry.state)).toEqual(then);
    expect(all((await BackupHouse.on(house.root)).registry.state)).toEqual(then);
    await rm(`${house.models}/checkpoints`, { recursive: true });
    const read = await BackupHouse.on(house.root);
    expect(all(read.registry.state)).toEqual(then);
    expect(read.registry.state.snapshot()).toEqual(registry().state.snapshot());
  });

  it('is part of the next snapshot, which can be restored elsewhere and here', async () => {
    const { id } = await yesterday();
    await today();
    await house.restore(id);
    await house.publish('iris', 'written after it');
    const next = await house.take();
    expect((await house.verifier.verify(next.id, { level: 'data' })).findings).toEqual([]);
    const then = now();
    await house.publish('iris', 'and once more');
    await house.restore(next.id);
    expect(now()).toEqual(then);
  });

  it('serves everything as it was in the tick of its event', async () => {
    const { id } = await yesterday();
    await today();
    const { catalog, state } = registry();
    const served: unknown[] = [];
    const forget = state.onApplied(() =>
      queueMicrotask(() => served.push((catalog.resolve('iris') as { record: { version: number } }).record.version)),
    );
    await house.restore(id);
    forget();
    expect(served).toEqual([1]);
    expect(catalog.serving).toEqual(['iris']);
  });

  it('plans what it does, and does what it plans', async () => {
    const { id } = await yesterday();
    await today();
    const [before, events] = [now(), registry().state.position.seq];
    const plan = await house.plan(id);
    expect([now(), registry().state.position.seq]).toEqual([before, events]);
    expect(plan.models).toEqual([
      { model: 'fraud', from: true, to: false, versions: [{ version: 1, from: 'staging', to: null }], aliases: [] },
      {
        model: 'iris',
        from: true,
        to: true,
        production: { from: 3, to: 1 },
        versions: [
          { version: 1, from: 'archived', to: 'production' },
          { version: 3, from: 'production', to: null },
        ],
        aliases: [{ alias: 'champion', from: null, to: 2 }],
      },
      { model: 'market', from: false, to: true, versions: [{ version: 1, from: null, to: 'staging' }], aliases: [] },
    ]);
    const { event: _event, safety: _safety, ...done } = await house.restore(id, { seq: plan.seq });
    expect(done).toEqual(plan);
    await expect(house.restore(id, { seq: plan.seq })).rejects.toMatchObject({ code: 'RESTORE_PLAN_OUTDATED' });
  });

  it('brings bytes back that were collected', async () => {
    const { id } = await yesterday();
    const then = now();
    const { deletion, stages, collector } = registry();
    await stages.move('iris', 2, 'production', change);
    await deletion.deleteVersion('iris', 1, change);
    await deletion.deleteModel('market', change);
    const { condemned } = await collector.collect('ada', { minAgeMs: -1, undeleteMs: -1 });
    expect(condemned).toHaveLength(2);
    const { copy } = await house.restore(id);
    expect(copy).toEqual({ blobs: 2, bytes: 'iris onemarket one'.length });
    expect(now()).toEqual(then);
    for (const name of registry().state.referenced()) expect(await house.registryBlobs.verify(name)).toBe(true);
  });

  it('heals a damaged blob of the registry', async () => {
    const { id } = await yesterday();
    const [blob] = registry().state.requireVersion('iris', 1).blobs as readonly [string];
    await flipBit(`${house.models}/blobs/sha256/${blob.slice(0, 2)}/${blob}`, 3, 1);
    await house.restore(id);
    expect(await house.registryBlobs.verify(blob)).toBe(true);
  });

  it('has no need of what is damaged in the snapshot and good in the registry', async () => {
    const { id } = await yesterday();
    const then = now();
    await today();
    for await (const { name } of house.blobs.list()) {
      const isBlob = await house.registryBlobs.verify(name).catch(() => false);
      if (isBlob) await flipBit(house.pathOf(name), 0, 0);
    }
    await house.restore(id);
    expect(now()).toEqual(then);
  });

  describe('of a damaged snapshot', () => {
    async function damaged(): Promise<SnapshotRecord> {
      const before = await yesterday();
      const [blob] = registry().state.requireVersion('market', 1).blobs as readonly [string];
      await registry().deletion.deleteModel('market', change);
      await registry().collector.collect('ada', { minAgeMs: -1, undeleteMs: -1 });
      await flipBit(house.pathOf(blob), 2, 2);
      return before;
    }

    it('is refused with the list of what is damaged, and nothing is changed', async () => {
      const { id } = await damaged();
      const [before, { seq }] = [now(), registry().state.position];
      await expect(house.restore(id)).rejects.toMatchObject({
        code: 'RESTORE_DAMAGED',
        damaged: [{ path: expect.stringMatching(/^blobs\/sha256\//), detail: expect.stringContaining('not those that were stored') }],
        lost: [{ model: 'market', version: 1 }],
      });
      expect([now(), registry().state.position.seq]).toEqual([before, seq]);
      expect((await house.plan(id)).lost).toEqual([{ model: 'market', version: 1 }]);
    });

    it('brings back the versions that are whole where that is wanted', async () => {
      const { id } = await damaged();
      await registry().stages.move('iris', 2, 'production', change);
      const { lost } = await house.restore(id, { partial: true });
      expect(lost).toEqual([{ model: 'market', version: 1 }]);
      expect(now()).toMatchObject({ iris: { production: 1 }, market: { stages: [] } });
      await expect(registry().deletion.undeleteVersion('market', 1, change)).rejects.toMatchObject({ code: 'BYTES_COLLECTED' });
    });
  });

  describe('of a part', () => {
    it('touches no other model', async () => {
      const { id } = await yesterday();
      await today();
      const { state } = registry();
      const [iris, fraud] = [seen(state.require('iris')), state.etagOf('fraud')];
      await house.restore(id, { model: 'market' });
      expect(now()).toMatchObject({ iris, market: { stages: [expect.arrayContaining([1, 'staging'])] } });
      expect(state.etagOf('fraud')).toBe(fraud);
    });

    it('brings back one version, archived where another is in production', async () => {
      const { id } = await yesterday();
      const { stages, deletion } = registry();
      await stages.move('iris', 2, 'production', change);
      await deletion.deleteVersion('iris', 1, change);
      await house.restore(id, { model: 'iris', version: 1 });
      expect(now()).toMatchObject({
        iris: { production: 2, stages: [expect.arrayContaining([1, 'archived']), expect.arrayContaining([2, 'production'])] },
      });
    });

    it('is refused where something else is there, and nothing is changed', async () => {
      const { id } = await yesterday();
      await today();
      const { seq } = registry().state.position;
      await expect(house.restore(id, { model: 'iris' })).rejects.toMatchObject({
        code: 'RESTORE_CONFLICT',
        conflicts: [{ model: 'iris', what: 'production', here: 'version 3', wanted: 'version 1' }],
      });
      expect(registry().state.position.seq).toBe(seq);
    });

    it('leaves what is there where that is wanted', async () => {
      const { id } = await yesterday();
      await today();
      const { conflicts } = await house.restore(id, { model: 'iris', conflicts: 'skip' });
      expect(conflicts).toHaveLength(1);
      expect(now()).toMatchObject({ iris: { production: 3, aliases: [['champion', 2]] } });
    });

    it('says what a snapshot does not have', async () => {
      const { id } = await yesterday();
      await expect(house.restore(id, { model: 'fraud' })).rejects.toMatchObject({ code: 'NOT_IN_SNAPSHOT' });
      await expect(house.restore(id, { model: 'iris', version: 9 })).rejects.toMatchObject({ code: 'NOT_IN_SNAPSHOT' });
    });
  });

  describe('of another registry', () => {
    let other: BackupHouse;
    let id: string;

    beforeEach(async () => {
      await yesterday();
      other = await BackupHouse.fresh();
      await other.publish('iris', 'quite another one');
      await other.registry.stages.move('iris', 1, 'production', change);
      ({ id } = await other.take());
      await rm(house.backups, { recursive: true });
      await cp(other.backups, house.backups, { recursive: true });
    });
    afterEach(() => other.remove());

    it('takes its numbers, and what had them is deleted under others, to come back', async () => {
      const [two] = [registry().state.requireVersion('iris', 1).digest];
      await house.restore(id);
      expect(now()).toEqual(all(other.registry.state));
      const { deletedVersions, highest } = registry().state.require('iris');
      expect(highest).toBe(3);
      expect([...deletedVersions.values()].map(({ record }) => [record.version, record.digest])).toContainEqual([3, two]);
    });

    it('gives a version that is another one here a number of its own where that is wanted', async () => {
      const here = seen(registry().state.require('iris')) as { stages: unknown[] };
      await expect(house.restore(id, { model: 'iris' })).rejects.toMatchObject({ code: 'RESTORE_CONFLICT' });
      await house.restore(id, { model: 'iris', conflicts: 'new-version' });
      const { digest } = other.registry.state.requireVersion('iris', 1);
      expect(now()).toMatchObject({ iris: { production: 1, stages: [...here.stages, [3, 'staging', digest, expect.any(String)]] } });
    });
  });

  it('takes the safety snapshot again where somebody wrote in between', async () => {
    const { id } = await yesterday();
    await today();
    const writer = await BackupHouse.on(house.root);
    let writes = 0;
    const { taker } = house;
    const take = taker.take.bind(taker);
    jest.spyOn(taker, 'take').mockImplementation(async (options) => {
      const record = await take(options);
      if (writes++ < 2) await writer.publish('fraud', `in between ${writes}`);
      return record;
    });
    const { safety, event } = await house.restore(id);
    expect(writes).toBe(3);
    const taken = await house.inventory.find(safety as string);
    expect(taken.seq).toBe(event - 1);
    expect(registry().state.find('fraud')).toBeUndefined();
  });

  it('needs no safety snapshot where none is wanted', async () => {
    const { id } = await yesterday();
    await today();
    const outcome = await house.restore(id, { safety: false });
    expect(outcome).not.toHaveProperty('safety');
    expect(await house.inventory.list()).toHaveLength(1);
  });

  it('takes none where it is refused', async () => {
    const { id } = await yesterday();
    await today();
    const { seq } = registry().state.position;
    await expect(house.restore(id, { seq: seq - 1 })).rejects.toMatchObject({ code: 'RESTORE_PLAN_OUTDATED' });
    await expect(house.restore(id, { model: 'iris' })).rejects.toMatchObject({ code: 'RESTORE_CONFLICT' });
    expect(await house.inventory.list()).toHaveLength(1);
  });

  it('is waited for by a stop', async () => {
    const { id } = await yesterday();
    await today();
    const { seq } = registry().state.position;
    const source = await house.sources.open(id, 'ada');
    const running = house.restorer.restore(source, 'ada', {});
    await house.restorer.beforeApplicationShutdown();
    expect(registry().state.position.seq).toBe(seq + 1);
    await running;
    await source.close();
  });

  it.each([true, false])('ends where somebody interrupts it, at any step before its event (safety: %s)', async (safety) => {
    const { id } = await yesterday();
    await today();
    const { seq } = registry().state.position;
    const phases = new Set<string>();
    const stopAfter = (told: number): Promise<unknown> => {
      const stop = new AbortController();
      const progress = ({ phase }: { readonly phase: string }): void => {
        phases.add(phase);
        if (--told === 0) stop.abort();
      };
      return house.restore(id, { safety, signal: stop.signal, progress });
    };
    for (const told of [1, 2, 3]) await expect(stopAfter(told)).rejects.toThrow(/abort/i);
    expect([...phases]).toEqual(['copying']);
    expect(registry().state.position.seq).toBe(seq);
    expect((await house.repository.history()).pinnedUntil(id, new Date())).toBeUndefined();
    expect(await readdir(`${house.models}/.staging`)).toEqual([]);
  });

  it('leaves nothing about', async () => {
    const { id } = await yesterday();
    await today();
    await house.restore(id);
    expect(await readdir(`${house.models}/.staging`)).toEqual([]);
  });

  it('pins the snapshot until it has ended: it can be neither deleted nor collected', async () => {
    const { id } = await yesterday();
    const source = await house.sources.open(id, 'ada');
    expect((await house.repository.history()).pinnedUntil(id, new Date())).toBeDefined();
    await source.close();
    expect((await house.repository.history()).pinnedUntil(id, new Date())).toBeUndefined();
  });

  it('knows no snapshot that is deleted', async () => {
    const { id } = await yesterday();
    await house.repository.commit(() => ({ kind: 'snapshot.deleted', ids: [id], reason: 'x', actor: 'ada', correlationId: 'c' }));
    await expect(house.restore(id)).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' });
  });

  it('works where the log of backups/ is lost, from the plain copy', async () => {
    const { id } = await yesterday();
    const then = now();
    await today();
    await rm(`${house.backups}/log`, { recursive: true });
    await house.restore(id);
    expect(now()).toEqual(then);
    const entries: unknown[] = [];
    for await (const entry of new FileEventLog(house.models).read(LOG_START)) entries.push(entry);
    expect(entries.length).toBe(registry().state.position.seq);
  });
});
