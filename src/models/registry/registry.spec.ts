import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Logger } from '@nestjs/common';
import { AnyRuntime, REPORT } from '../../../test/process/any-runtime';
import { RegistryHouse } from '../../../test/process/registry-house';
import type { ImportReport, LoadedModel, ModelFile } from '../../runtime/model-runtime.port';
import { ModelDamaged, ModelRefused } from '../../runtime/runtime.errors';
import { RegistryFollower } from './registry-follower';
import { DurableFiles } from '../../storage/durable-files';
import { FileBlobStore } from '../../storage/file-blob.store';
import { FileEventLog } from '../../storage/file-event.log';

/** Takes every file for a model that is what its hash says. */
class HashingRuntime extends AnyRuntime {
  imports = 0;

  override async import({ path }: ModelFile): Promise<ImportReport> {
    this.imports++;
    if ((await readFile(path, 'utf8')) === 'no model') throw new ModelRefused('no model');
    return REPORT;
  }

  override async load({ path, sha256 }: ModelFile): Promise<LoadedModel> {
    const actual = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    if (actual !== sha256) throw new ModelDamaged(sha256, actual);
    return { run: async () => ({ outputs: [], queueMs: 0, inferMs: 0 }), unload: async () => {} };
  }
}

/** A registry on real files. */
class House extends RegistryHouse {
  constructor(
    readonly root: string,
    readonly engine = new HashingRuntime(),
    readonly keeper = { prepare: async () => {}, selfTest: { safe: true } },
  ) {
    super(new FileBlobStore(root), new FileEventLog(root), engine, keeper);
  }

  /** Changes the stored bytes behind everybody's back. */
  async rot(content: string): Promise<void> {
    const sha256 = createHash('sha256').update(content).digest('hex');
    const path = join(this.root, 'blobs', 'sha256', sha256.slice(0, 2), sha256);
    await chmod(path, 0o644);
    await writeFile(path, 'rotten');
  }

  stored(): Promise<readonly { name: string }[]> {
    return Readable.from(this.blobs.list()).toArray();
  }
}

describe('the registry', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'registry-'));
  let house: House;

  beforeAll(() => {
    Logger.overrideLogger(false);
    jest.spyOn(DurableFiles.prototype, 'flush').mockResolvedValue(); // nothing here is about power cuts
  });
  beforeEach(async () => {
    house = new House(await mkdtemp(join(scratch, 'store-')));
    await house.journal.onModuleInit();
  });
  afterEach(async () => expect(await readdir(join(house.root, '.staging'))).toEqual([])); // an upload is discarded, whatever happens
  afterAll(async () => {
    jest.restoreAllMocks();
    await rm(scratch, { recursive: true, force: true });
  });

  it('makes an upload a version, and gives an equal one the same', async () => {
    expect(await house.publish('iris', 'one')).toMatchObject({ created: true, record: { version: 1, stage: 'staging' } });
    expect(await house.publish('iris', 'one')).toMatchObject({ created: false, record: { version: 1 } });
    expect(await house.publish('iris', 'two', { stage: 'production' })).toMatchObject({ created: true, record: { version: 2 } });
    expect(house.catalog.serving).toEqual(['iris']);
    expect(await house.stored()).toHaveLength(2);
  });

  it('stores nothing of what is no model', async () => {
    await expect(house.publish('iris', 'no model')).rejects.toBeInstanceOf(ModelRefused);
    expect(await house.stored()).toEqual([]);
    expect(house.state.list()).toEqual([]);
  });

  describe('where the registry takes no changes', () => {
    it.each([
      ['because of the file system', () => void (house.keeper.selfTest.safe = false)],
      [
        'because a newer version wrote to the log',
        () => house.log.append(house.state.position, { kind: 'model.pinned', actor: 'new', correlationId: 'c' }),
      ],
    ])('refuses an upload before an engine sees it, and stores nothing (%s)', async (_why, take) => {
      await take();
      await expect(house.publish('iris', 'one')).rejects.toMatchObject({ code: 'READ_ONLY', kind: 'unavailable' });
      expect(house.engine.imports).toBe(0);
      expect(await house.stored()).toEqual([]);
    });

    it('refuses a promotion, and leaves in service what is', async () => {
      await house.publish('iris', 'one', { stage: 'production' });
      await house.publish('iris', 'two');
      house.keeper.selfTest.safe = false;
      await expect(house.stages.move('iris', 2, 'production', { actor: 'ada' })).rejects.toMatchObject({ code: 'READ_ONLY' });
      expect((await house.catalog.resolve('iris')).record.version).toBe(1);
      expect(house.state.requireVersion('iris', 2).stage).toBe('staging');
    });

    it('takes uploads again as soon as the disk confirms', async () => {
      const flush = jest.spyOn(DurableFiles.prototype, 'flushFolder');
      flush.mockImplementation((path) => (path.endsWith('log') ? Promise.reject(new Error('EIO')) : Promise.resolve()));
      await expect(house.publish('iris', 'one')).rejects.toMatchObject({ code: 'COMMIT_UNCERTAIN' });
      await expect(house.publish('iris', 'two')).rejects.toMatchObject({ code: 'READ_ONLY' });
      flush.mockRestore();
      expect(await house.publish('iris', 'one')).toMatchObject({ created: false, record: { version: 1 } }); // it was written, after all
      expect(await house.publish('iris', 'two')).toMatchObject({ created: true, record: { version: 2 } });
    });
  });

  it('heals a damaged file with the same upload again, and serves its production version without a restart', async () => {
    await house.publish('iris', 'one', { stage: 'production' });
    await house.publish('other', 'one', { stage: 'production' }); // the same file
    await house.rot('one');
    const later = new House(house.root);
    await later.journal.onModuleInit();
    await later.catalog.loadProduction();
    expect(later.catalog.broken.map(({ model }) => model)).toEqual(['iris', 'other']);
    expect(later.faults.isCorrupt(later.state.requireVersion('iris', 1))).toBe(true);

    expect(await later.publish('iris', 'one')).toMatchObject({ created: false, record: { version: 1 } });
    expect(later.faults.isCorrupt(later.state.requireVersion('iris', 1))).toBe(false);
    expect(later.catalog.serving).toEqual(['iris']); // before anybody asks
    expect((await later.catalog.resolve('iris')).record.version).toBe(1);
    expect((await later.catalog.resolve('other')).record.version).toBe(1); // for the first who asks
    expect(later.catalog.broken).toEqual([]);
    expect(later.state.position.seq).toBe(house.state.position.seq); // no event was needed
    expect(await readdir(join(house.root, '.quarantine'))).toHaveLength(1);
  });

  describe('going back', () => {
    const production = async () => (await house.catalog.resolve('iris')).record.version;
    beforeEach(async () => {
      for (const content of ['one', 'two', 'three']) await house.publish('iris', content, { stage: 'production' });
    });

    it('serves what was in production before, and says so in one event with its reason', async () => {
      const before = house.state.position;
      expect(await house.stages.rollback('iris', { actor: 'ada', reason: 'too slow' })).toMatchObject({
        version: 2,
        stage: 'production',
      });
      expect(await production()).toBe(2);
      const entries = await Readable.from(house.log.read(before)).toArray();
      expect(entries).toEqual([
        expect.objectContaining({
          event: expect.objectContaining({ kind: 'stage.changed', version: 2, rollback: true, reason: 'too slow', actor: 'ada' }),
        }),
      ]);
    });

    it('leaves everything as it is where the past version cannot be loaded', async () => {
      await house.rot('two');
      await expect(house.stages.rollback('iris', { actor: 'ada' })).rejects.toMatchObject({ code: 'MODEL_DAMAGED' });
      expect(await production()).toBe(3);
      expect(house.state.require('iris').past).toEqual([1, 2]);
    });

    it('goes back two versions where two want to go back at once, in two processes', async () => {
      const other = new House(house.root);
      await other.journal.onModuleInit();
      const [one, two] = await Promise.all([
        house.stages.rollback('iris', { actor: 'ada' }),
        other.stages.rollback('iris', { actor: 'bob' }),
      ]);
      expect([one.version, two.version].sort()).toEqual([1, 2]);
      await Promise.all([house, other].map(({ journal }) => journal.readOn()));
      expect([house, other].map(({ state }) => state.require('iris').production?.version)).toEqual([1, 1]);
    });

    it('goes back from what was promoted meanwhile, by another process', async () => {
      const other = new House(house.root);
      await other.journal.onModuleInit();
      await other.publish('iris', 'four', { stage: 'production' });
      expect(await house.stages.rollback('iris', { actor: 'ada' })).toMatchObject({ version: 3 });
      expect(await production()).toBe(3);
    });
  });

  it('writes an alias only where that changes something, and none for a version that is not there', async () => {
    await house.publish('iris', 'one');
    const before = house.state.position.seq;
    for (let time = 0; time < 3; time++) await house.description.setAlias('iris', 'champion', 1, { actor: 'ada' });
    expect(house.state.position.seq).toBe(before + 1);
    await expect(house.description.setAlias('iris', 'champion', 2, { actor: 'ada' })).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' });
    await house.description.removeAlias('iris', 'champion', { actor: 'ada' });
    await expect(house.description.removeAlias('iris', 'champion', { actor: 'ada' })).rejects.toMatchObject({ code: 'ALIAS_NOT_FOUND' });
    expect(house.state.position.seq).toBe(before + 2);
  });

  describe('golden rows at a promotion', () => {
    const golden = [{ inputs: {}, outputs: { y: [2] } }];
    const signature = { inputs: [], outputs: [{ name: 'y', datatype: 'FP32' as const, shape: [1] }] };
    const answering = (value: number) => ({
      run: async () => ({ outputs: [{ ...signature.outputs[0]!, data: Float32Array.of(value) }], queueMs: 0, inferMs: 0 }),
      unload: async () => {},
    });
    beforeEach(async () => {
      const trials = [[{ ...signature.outputs[0]!, data: Float32Array.of(2) }]];
      jest.spyOn(house.engine, 'import').mockResolvedValue({ ...REPORT, signature, trials });
      await house.publish('iris', 'one', { metadata: { golden } });
    });

    it('are tried again on this machine, before anybody is served by the version', async () => {
      jest.spyOn(house.engine, 'load').mockResolvedValue(answering(3));
      await expect(house.stages.move('iris', 1, 'production', { actor: 'ada' })).rejects.toMatchObject({
        code: 'GOLDEN_DEVIATION',
        kind: 'conflict',
        details: { field: 'metadata.golden[0].outputs.y[0]', expected: '2', actual: '3' },
      });
      expect(house.catalog.serving).toEqual([]);
      await house.stages.move('iris', 1, 'production', { actor: 'ada', force: true });
      expect(house.catalog.serving).toEqual(['iris']);
    });

    it('let through what answers as they say', async () => {
      jest.spyOn(house.engine, 'load').mockResolvedValue(answering(2));
      await house.stages.move('iris', 1, 'production', { actor: 'ada' });
      expect(house.catalog.serving).toEqual(['iris']);
    });

    it('say so where the engine gives nothing at all', async () => {
      const run = () => Promise.reject(new ModelRefused('out of memory'));
      jest.spyOn(house.engine, 'load').mockResolvedValue({ run, unload: async () => {} });
      await expect(house.stages.move('iris', 1, 'production', { actor: 'ada' })).rejects.toMatchObject({ code: 'GOLDEN_DEVIATION' });
    });
  });

  describe('deleting', () => {
    beforeEach(() => house.publish('iris', 'one'));

    it('refuses a version that a call runs on', async () => {
      let end = (): void => {};
      const run = () => new Promise<never>((_, fail) => (end = () => fail(new Error('ended'))));
      jest.spyOn(house.engine, 'load').mockResolvedValue({ run, unload: async () => {} });
      const served = await house.catalog.resolve('iris', { version: 1 });
      const call = served.run(() => ({ inputs: [], outputs: [], engineDeadlineMs: 1 }));
      await expect(house.deletion.deleteVersion('iris', 1, { actor: 'ada' })).rejects.toMatchObject({ code: 'VERSION_IN_USE' });
      end();
      await expect(call).rejects.toThrow('ended');
      await house.deletion.deleteVersion('iris', 1, { actor: 'ada' });
    });

    it('takes the version out of memory', async () => {
      const unload = jest.fn(async () => {});
      jest.spyOn(house.engine, 'load').mockResolvedValue({ run: async () => ({ outputs: [], queueMs: 0, inferMs: 0 }), unload });
      await house.catalog.resolve('iris', { version: 1 });
      await house.deletion.deleteModel('iris', { actor: 'ada' });
      expect(unload).toHaveBeenCalledTimes(1);
    });

    it('brings a version back under a new name where its bytes were condemned meanwhile, by another process', async () => {
      await house.deletion.deleteVersion('iris', 1, { actor: 'ada' });
      const other = new House(house.root);
      await other.journal.onModuleInit();
      const put = jest.spyOn(house.blobs, 'put');
      put.mockImplementationOnce(async (staged, name) => {
        const info = await FileBlobStore.prototype.put.call(house.blobs, staged, name);
        await other.collector.collect('upkeep', { minAgeMs: -1, undeleteMs: -1000 });
        return info;
      });
      const record = await house.deletion.undeleteVersion('iris', 1, { actor: 'ada' });
      expect(record.blob).toMatch(/^[0-9a-f]{64}\.4$/);
      expect(await house.stored()).toMatchObject([{ name: record.blob }]);
      await house.stages.move('iris', 1, 'production', { actor: 'ada' });
      put.mockRestore();
    });

    it('brings a model back without those versions whose bytes are gone', async () => {
      await house.publish('iris', 'two');
      await house.deletion.deleteModel('iris', { actor: 'ada' });
      await house.blobs.remove(createHash('sha256').update('one').digest('hex'));
      const model = await house.deletion.undeleteModel('iris', { actor: 'ada' });
      expect([...model.versions.keys()]).toEqual([2]);
      expect([...model.deletedVersions.keys()]).toEqual([1]);
    });

    it('holds on to nothing any more where it cannot hold on to all', async () => {
      await house.publish('iris', 'two');
      await house.deletion.deleteModel('iris', { actor: 'ada' });
      const retain = jest.spyOn(house.blobs, 'retain');
      retain.mockImplementationOnce((name) => FileBlobStore.prototype.retain.call(house.blobs, name));
      retain.mockRejectedValueOnce(new Error('EMFILE'));
      await expect(house.deletion.undeleteModel('iris', { actor: 'ada' })).rejects.toThrow('EMFILE');
    });

    it('brings a model back with what went with it the last time, where others brought it back and deleted it again meanwhile', async () => {
      await house.publish('iris', 'two');
      await house.deletion.deleteModel('iris', { actor: 'ada' });
      const other = new House(house.root);
      await other.journal.onModuleInit();
      jest.spyOn(house.blobs, 'put').mockImplementationOnce(async (staged, name) => {
        await other.deletion.undeleteModel('iris', { actor: 'bob' });
        await other.deletion.deleteVersion('iris', 1, { actor: 'bob' });
        await other.deletion.deleteModel('iris', { actor: 'bob' });
        return FileBlobStore.prototype.put.call(house.blobs, staged, name);
      });
      const model = await house.deletion.undeleteModel('iris', { actor: 'ada' });
      expect([...model.versions.keys()]).toEqual([2]);
    });

    it('of the whole model by another process does not trouble an upload that says nothing of the model', async () => {
      const other = new House(house.root);
      await other.journal.onModuleInit();
      jest.spyOn(house.log, 'append').mockImplementationOnce(async (...event) => {
        const entry = await FileEventLog.prototype.append.apply(house.log, event);
        await other.journal.readOn();
        await other.deletion.deleteModel('iris', { actor: 'bob' });
        return entry;
      });
      expect(await house.publish('iris', 'two')).toMatchObject({ created: true, record: { version: 2 } });
    });

    it('is followed by a process that serves the same folder', async () => {
      await house.stages.move('iris', 1, 'production', { actor: 'ada' });
      const other = new House(house.root);
      await other.journal.onModuleInit();
      await other.catalog.loadProduction();
      expect(other.catalog.serving).toEqual(['iris']);
      await house.stages.move('iris', 1, 'archived', { actor: 'ada' });
      await house.deletion.deleteModel('iris', { actor: 'ada' });
      await other.journal.readOn();
      await other.catalog.loadProduction();
      expect(other.catalog.serving).toEqual([]);
    });
  });

  describe('that another process changed a moment ago', () => {
    let other: House;
    beforeEach(async () => {
      await house.publish('iris', 'one', { stage: 'production' });
      other = new House(house.root);
      await other.journal.onModuleInit();
    });

    it('is what a change is refused for, or not: rollback, undelete, promotion', async () => {
      await house.publish('iris', 'two', { stage: 'production' });
      expect((await other.stages.rollback('iris', { actor: 'ada' })).version).toBe(1);
      await house.deletion.deleteVersion('iris', 2, { actor: 'ada' });
      expect((await other.deletion.undeleteVersion('iris', 2, { actor: 'ada' })).version).toBe(2);
      await house.publish('iris', 'three');
      expect((await other.stages.move('iris', 3, 'production', { actor: 'ada' })).version).toBe(3);
    });

    it('is what a rollback answers that lost the race for its event to one with the same key', async () => {
      await house.publish('iris', 'two', { stage: 'production' });
      await house.publish('iris', 'three', { stage: 'production' });
      const append = jest.spyOn(other.log, 'append').mockImplementationOnce(async (...event) => {
        await house.stages.rollback('iris', { actor: 'ada' });
        await house.stages.rollback('iris', { actor: 'ada', idempotencyKey: 'k' });
        return FileEventLog.prototype.append.apply(other.log, event);
      });
      expect((await other.stages.rollback('iris', { actor: 'ada', idempotencyKey: 'k' })).version).toBe(1);
      expect(append).toHaveBeenCalledTimes(1);
    });

    it('is served by one that read of it only when it changed something itself', async () => {
      await other.catalog.loadProduction();
      const follower = new RegistryFollower(other.journal, other.catalog, other.state);
      await follower.tick();
      await house.publish('iris', 'two', { stage: 'production' });
      await other.description.describe('iris', { description: 'of flowers' }, { actor: 'ada' });
      await follower.tick();
      expect(await other.catalog.resolve('iris')).toMatchObject({ record: { version: 2 } });
    });
  });
});
