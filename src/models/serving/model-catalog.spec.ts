import { createHash } from 'node:crypto';
import { access, readFile, rm } from 'node:fs/promises';
import { Logger } from '@nestjs/common';
import { AnyRuntime, MEASURED, residencyOver } from '../../../test/process/any-runtime';
import type { LoadedModel, ModelFile } from '../../runtime/model-runtime.port';
import { ModelDamaged, ModelRefused } from '../../runtime/runtime.errors';
import { LOG_START, type LogPosition } from '../../storage/event-log.port';
import { MemoryBlobStore } from '../../storage/memory-blob.store';
import { sealEvent } from '../../storage/stored-event';
import { ModelCatalog } from './model-catalog';
import type { Measurements } from './measurements';
import type { ModelResidency } from './model-residency';
import type { Stage } from '../registry/registry-event';
import type { Decision } from '../registry/registry-journal';
import { RegistryState } from '../registry/registry-state';
import type { VersionRecord } from '../registry/registry-records';
import { ServedVersion } from './served-version';
import { VersionFaults } from './version-faults';

const RUN = () => ({ inputs: [], outputs: [], engineDeadlineMs: 1000 });

/** Loads any file, unless told otherwise; a model of it does nothing. Writes down what it loads and unloads, by the file's content. */
class NotebookRuntime extends AnyRuntime {
  readonly notes: string[] = [];
  readonly paths: string[] = [];
  /** Contents that cannot be loaded. */
  readonly bad = new Set<string>();
  /** What a load waits for, and what a run waits for. */
  gate: Promise<void> = Promise.resolve();
  running: Promise<void> = Promise.resolve();

  override async load({ path, sha256 }: ModelFile): Promise<LoadedModel> {
    this.paths.push(path);
    const content = await readFile(path, 'utf8');
    this.notes.push(`load ${content}`);
    await this.gate;
    if (this.bad.has(content)) throw new ModelDamaged(sha256, 'something else');
    return {
      run: async () => {
        await this.running;
        return { outputs: [], inferMs: 0 };
      },
      unload: async () => void this.notes.push(`unload ${content}`),
    };
  }
}

/** A catalog over real state and real blobs. Its registry is told what happened as a log would tell it. */
class House {
  readonly state = new RegistryState();
  readonly runtime = new NotebookRuntime();
  readonly blobs = new MemoryBlobStore();
  readonly faults = new VersionFaults();
  readonly measurements: Measurements;
  readonly residency: ModelResidency;
  readonly catalog: ModelCatalog;
  private at: LogPosition = LOG_START;

  constructor(settings: { readonly modelMemoryMb?: string; readonly required?: readonly string[] } = {}) {
    ({ measurements: this.measurements, residency: this.residency } = residencyOver(this.runtime, this.blobs, settings));
    this.catalog = new ModelCatalog(this.state, this.residency, this.faults);
  }

  /** Publishes a version whose file says its name. */
  async publish(model: string, version: number, stage: Stage = 'staging'): Promise<VersionRecord> {
    const text = `${model}/${version}`;
    const content = Buffer.from(text);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const staged = await this.blobs.stage(
      (async function* () {
        yield content;
      })(),
      1024,
    );
    await this.blobs.put(staged);
    await staged.discard();
    const manifest = { files: [{ path: 'model.onnx', size: content.length, sha256 }], metadata: {} };
    const about = {
      digest: `digest ${text}`,
      executable: createHash('sha256').update(text).digest('hex'),
      engine: 'onnx',
      signature: { inputs: [], outputs: [] },
    } as const;
    this.tell({ kind: 'version.published', model, version, manifest, ...about });
    if (stage !== 'staging') this.move(model, version, stage);
    return this.state.requireVersion(model, version);
  }

  move(model: string, version: number, stage: Stage): void {
    this.tell({ kind: 'stage.changed', model, version, stage });
  }

  private tell(decision: Decision): void {
    const { entry } = sealEvent(this.at, { ...decision, actor: 'ada', correlationId: 'test-0001' }, new Date());
    this.at = entry.position;
    this.state.apply(entry);
  }
}

function shaOf({ manifest }: VersionRecord): string {
  return manifest.files[0]?.sha256 as string;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

describe(ModelCatalog, () => {
  beforeAll(() => Logger.overrideLogger(false));

  let house: House;
  beforeEach(() => {
    house = new House();
  });
  // what is still in memory at the end of a test has a local file
  afterEach(() => Promise.all(house.runtime.paths.map((path) => rm(path, { force: true }))));

  describe('resolving a version', () => {
    it.each([[{}], [{ alias: 'production' }]])('gives the version in production at once, for %j', async (selector) => {
      const record = await house.publish('iris', 1, 'production');
      await house.catalog.loadProduction();
      const served = house.catalog.resolve('iris', selector);
      expect(served).toBeInstanceOf(ServedVersion);
      expect((served as ServedVersion).record).toBe(record);
    });

    it('gives the version in production at once where it is asked for by its number', async () => {
      await house.publish('iris', 1, 'production');
      await house.catalog.loadProduction();
      expect(house.catalog.resolve('iris', { version: 1 })).toBe(house.catalog.resolve('iris'));
    });

    it('loads another version at the wish of the first caller, once', async () => {
      await house.publish('iris', 1, 'production');
      const wanted = await house.publish('iris', 2);
      await house.catalog.loadProduction();
      const gate = Promise.withResolvers<void>();
      house.runtime.gate = gate.promise;
      const callers = Array.from({ length: 5 }, async () => house.catalog.resolve('iris', { version: 2 }));
      gate.resolve();
      const [first, ...others] = await Promise.all(callers);
      expect(first?.record).toBe(wanted);
      expect(new Set([first, ...others]).size).toBe(1);
      expect(await house.catalog.resolve('iris', { version: 2 })).toBe(first);
      expect(house.runtime.notes).toEqual(['load iris/1', 'load iris/2']);
    });

    it('serves a version in staging or in the archive to whoever asks for it by number, and to nobody else', async () => {
      await house.publish('iris', 1, 'archived');
      await house.publish('iris', 2, 'production');
      await house.catalog.loadProduction();
      expect((await house.catalog.resolve('iris', { version: 1 })).record.version).toBe(1);
      expect((await house.catalog.resolve('iris')).record.version).toBe(2);
    });

    it('tries again where a version could not be loaded, but not for every caller of the next seconds', async () => {
      await house.publish('iris', 1);
      house.runtime.bad.add('iris/1');
      const clock = jest.spyOn(performance, 'now').mockReturnValue(1000);
      const callers = Array.from({ length: 2 }, async () => house.catalog.resolve('iris', { version: 1 }));
      const outcomes = await Promise.allSettled(callers);
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      house.runtime.bad.clear();
      clock.mockReturnValue(5900);
      expect(() => house.catalog.resolve('iris', { version: 1 })).toThrow(expect.objectContaining({ code: 'MODEL_UNAVAILABLE' }));
      clock.mockReturnValue(6100);
      const again = Array.from({ length: 3 }, async () => house.catalog.resolve('iris', { version: 1 }));
      expect(new Set(await Promise.all(again)).size).toBe(1);
      expect(house.runtime.notes).toEqual(['load iris/1', 'load iris/1']);
      clock.mockRestore();
    });

    it('serves a production version again whose load failed at first', async () => {
      await house.publish('iris', 1, 'production');
      house.runtime.bad.add('iris/1');
      await house.catalog.loadProduction();
      expect(house.catalog.broken).toMatchObject([{ model: 'iris', version: 1 }]);
      house.runtime.bad.clear();
      const clock = jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 6000);
      const served = await house.catalog.resolve('iris');
      clock.mockRestore();
      expect(house.catalog.resolve('iris')).toBe(served);
      expect(house.catalog.broken).toEqual([]);
    });

    it('says that a version cannot be served whose file is missing, also where a caller asked for it by number', async () => {
      await house.blobs.remove(shaOf(await house.publish('iris', 1)));
      const resolving = async () => house.catalog.resolve('iris', { version: 1 });
      await expect(resolving()).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE', kind: 'unavailable' });
    });

    it('says that a version cannot be served whose file is damaged, also where a caller asked for it by number', async () => {
      await house.publish('iris', 1);
      house.runtime.bad.add('iris/1');
      const resolving = async () => house.catalog.resolve('iris', { version: 1 });
      await expect(resolving()).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE', kind: 'unavailable' });
    });

    it('loads the version in production at the wish of a caller who comes before the start is over', async () => {
      await house.publish('iris', 1, 'production');
      expect((await house.catalog.resolve('iris')).record.version).toBe(1);
    });

    it('knows no model that was never published', () => {
      for (const selector of [{}, { version: 1 }, { alias: 'production' }, { alias: 'champion' }]) {
        expect(() => house.catalog.resolve('iris', selector)).toThrow(
          expect.objectContaining({ code: 'MODEL_NOT_FOUND', kind: 'not-found' }),
        );
      }
      expect(() => house.catalog.resolve('constructor')).toThrow(expect.objectContaining({ code: 'MODEL_NOT_FOUND' }));
    });

    it('names the versions that there are where there is none of the number', async () => {
      await house.publish('iris', 1, 'production');
      await house.publish('iris', 2);
      await house.catalog.loadProduction();
      const details = { field: 'version', expected: 'one of 1, 2', actual: '3' };
      expect(() => house.catalog.resolve('iris', { version: 3 })).toThrow(expect.objectContaining({ code: 'VERSION_NOT_FOUND', details }));
    });

    it.each([[{}], [{ alias: 'production' }]])(
      'says that no version is in production, and names those that there are, for %j',
      async (selector) => {
        await house.publish('iris', 1);
        await house.publish('iris', 2, 'archived');
        await house.catalog.loadProduction();
        const details = { field: 'version', expected: 'a version in production, or one of 1, 2 asked for', actual: 'none' };
        const error = expect.objectContaining({ code: 'NO_PRODUCTION_VERSION', kind: 'not-found', details });
        expect(() => house.catalog.resolve('iris', selector)).toThrow(error);
      },
    );

    it('knows no alias but the one that follows the stage', async () => {
      await house.publish('iris', 1, 'production');
      await house.catalog.loadProduction();
      const details = { field: 'alias', expected: 'production', actual: 'champion' };
      expect(() => house.catalog.resolve('iris', { alias: 'champion' })).toThrow(
        expect.objectContaining({ code: 'ALIAS_NOT_FOUND', details }),
      );
    });
  });

  describe('loading', () => {
    it('loads a version without serving it', async () => {
      const record = await house.publish('iris', 1);
      const candidate = await house.catalog.load(record);
      expect(candidate.record).toBe(record);
      expect(house.catalog.serving).toEqual([]);
      await candidate.retire();
    });

    it('keeps the local file as long as the version is in memory', async () => {
      const candidate = await house.catalog.load(await house.publish('iris', 1));
      const [path] = house.runtime.paths as [string];
      expect(await exists(path)).toBe(true);
      await candidate.retire();
      expect(await exists(path)).toBe(false);
    });

    it('leaves no local file where a version cannot be loaded', async () => {
      const record = await house.publish('iris', 1);
      house.runtime.bad.add('iris/1');
      await expect(house.catalog.load(record)).rejects.toMatchObject({ code: 'MODEL_DAMAGED' });
      expect(await exists(house.runtime.paths[0] as string)).toBe(false);
    });

    it('says that the stored file is missing', async () => {
      const record = await house.publish('iris', 1);
      await house.blobs.remove(shaOf(record));
      await expect(house.catalog.load(record)).rejects.toMatchObject({ code: 'BLOB_MISSING' });
    });
  });

  describe('at the start', () => {
    it('loads what is in production, and nothing else', async () => {
      await house.publish('iris', 1, 'archived');
      await house.publish('iris', 2, 'production');
      await house.publish('price', 1);
      await house.publish('spam', 1, 'production');
      await house.catalog.loadProduction();
      expect(house.runtime.notes).toEqual(['load iris/2', 'load spam/1']);
      expect(house.catalog.serving).toEqual(['iris', 'spam']);
      expect(house.catalog.broken).toEqual([]);
    });

    it('keeps one copy in memory of a version that a caller asked for before the start came to it', async () => {
      await house.publish('iris', 1, 'production');
      await house.catalog.resolve('iris');
      await house.catalog.loadProduction();
      const count = (note: string) => house.runtime.notes.filter((each) => each === note).length;
      expect(count('load iris/1') - count('unload iris/1')).toBe(1);
    });

    it('loads nothing twice', async () => {
      await house.publish('iris', 1, 'production');
      await house.catalog.loadProduction();
      await house.catalog.loadProduction();
      expect(house.runtime.notes).toEqual(['load iris/1']);
    });

    it('serves the others although one of them is broken, names it, and says why', async () => {
      await house.publish('broken', 3, 'production');
      const missing = await house.publish('missing', 1, 'production');
      await house.publish('sound', 1, 'production');
      house.runtime.bad.add('broken/3');
      await house.blobs.remove(shaOf(missing));
      await house.catalog.loadProduction();
      expect(house.catalog.serving).toEqual(['sound']);
      expect(house.catalog.broken).toEqual([
        { model: 'broken', version: 3, reason: 'The stored file of the model is not what was uploaded' },
        { model: 'missing', version: 1, reason: `The blob ${shaOf(missing)} is not stored` },
      ]);
      expect(house.catalog.resolve('sound')).toBeInstanceOf(ServedVersion);
    });

    it('refuses a broken version with the reason, at once and however it is asked for', async () => {
      await house.publish('broken', 3, 'production');
      house.runtime.bad.add('broken/3');
      await house.catalog.loadProduction();
      const message = 'Version 3 of "broken" cannot be served: The stored file of the model is not what was uploaded';
      const error = expect.objectContaining({ code: 'MODEL_UNAVAILABLE', kind: 'unavailable', message });
      for (const selector of [{}, { version: 3 }, { alias: 'production' }]) {
        expect(() => house.catalog.resolve('broken', selector)).toThrow(error);
      }
      expect(house.runtime.notes).toEqual(['load broken/3']);
    });

    it('tells a caller nothing of a fault that is none of ours', async () => {
      await house.publish('iris', 1, 'production');
      house.runtime.load = () => Promise.reject(new Error('EACCES: permission denied, open /secret/path'));
      await house.catalog.loadProduction();
      expect(house.catalog.broken).toEqual([{ model: 'iris', version: 1, reason: 'its file cannot be read' }]);
    });

    it('calls nothing broken that is no longer in production', async () => {
      await house.publish('iris', 1, 'production');
      house.runtime.bad.add('iris/1');
      await house.catalog.loadProduction();
      house.move('iris', 1, 'archived');
      expect(house.catalog.broken).toEqual([]);
    });
  });

  describe('with room for three models of 3 MB each', () => {
    const LIMITS = { modelMemoryMb: '10' };
    beforeEach(() => {
      house = new House(LIMITS);
    });

    /** A version that was measured to take 3 MB, or as many as told. */
    async function measured(model: string, version: number, stage: Stage = 'staging', megabytes = 3): Promise<VersionRecord> {
      const record = await house.publish(model, version, stage);
      await house.measurements.keep(record.executable, { ...MEASURED, memoryBytes: megabytes * 2 ** 20 });
      return record;
    }
    const call = async (model: string, version?: number): Promise<void> => {
      const served = await house.catalog.resolve(model, version === undefined ? {} : { version });
      await served.run(RUN);
      await new Promise((resolve) => setTimeout(resolve, 2)); // the next call is later
    };
    const inMemory = (): readonly string[] => {
      const loaded = new Set<string>();
      for (const [what, file = ''] of house.runtime.notes.map((note) => note.split(' '))) {
        if (what === 'load') loaded.add(file);
        else loaded.delete(file);
      }
      return [...loaded];
    };

    it('lets that one leave for another that was not used longest', async () => {
      for (const version of [1, 2, 3, 4]) await measured('iris', version);
      for (const version of [1, 2, 3, 1, 4]) await call('iris', version);
      expect(inMemory()).toEqual(['iris/1', 'iris/3', 'iris/4']);
      expect(house.residency.usedBytes).toBe(9 * 2 ** 20);
    });

    it('lets nobody leave for a version that would not fit even then, and says how much it takes and how much there may be', async () => {
      for (const version of [1, 2]) await measured('iris', version);
      await measured('giant', 1, 'staging', 11);
      for (const version of [1, 2]) await call('iris', version);
      await expect(call('giant', 1)).rejects.toMatchObject({
        code: 'MODEL_MEMORY_EXCEEDED',
        kind: 'unavailable',
        details: { expected: 'at most 10 MB for all models that are in use or pinned', actual: '11 MB' },
      });
      expect(inMemory()).toEqual(['iris/1', 'iris/2']);
      expect(house.catalog.broken).toEqual([]);
    });

    it('lets those leave first that are not in production', async () => {
      await measured('iris', 1, 'production');
      for (const version of [2, 3, 4]) await measured('iris', version);
      for (const version of [undefined, 2, 3, 4]) await call('iris', version);
      expect(inMemory()).toEqual(['iris/1', 'iris/3', 'iris/4']);
    });

    it('keeps a model in service that had to leave: its next call loads it', async () => {
      for (const model of ['a', 'b', 'c', 'd']) {
        await measured(model, 1, 'production');
        await call(model);
      }
      expect(inMemory()).toEqual(['b/1', 'c/1', 'd/1']);
      expect(house.catalog.serving.toSorted()).toEqual(['a', 'b', 'c', 'd']);
      await call('a');
      expect(inMemory()).toEqual(['c/1', 'd/1', 'a/1']);
      expect(house.catalog.serving.toSorted()).toEqual(['a', 'b', 'c', 'd']);
    });

    it('lets nobody leave on whom a call runs', async () => {
      for (const version of [1, 2, 3, 4]) await measured('iris', version);
      const gate = Promise.withResolvers<void>();
      house.runtime.running = gate.promise;
      const running = [1, 2, 3].map((version) => call('iris', version));
      while (house.runtime.notes.length === 0) await new Promise(setImmediate);
      await expect(call('iris', 4)).rejects.toMatchObject({ code: 'MODEL_MEMORY_EXCEEDED' });
      gate.resolve();
      await Promise.all(running);
      await call('iris', 4);
      expect(inMemory()).toHaveLength(3);
      expect(inMemory()).toContain('iris/4');
    });

    it('loads at the start what fits and lets nobody leave for the rest, which is in service all the same', async () => {
      for (const model of ['a', 'b', 'c', 'd', 'e']) await measured(model, 1, 'production');
      await house.catalog.loadProduction();
      expect(inMemory()).toEqual(['a/1', 'b/1', 'c/1']);
      expect(house.catalog.serving.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e']);
      expect(house.catalog.broken).toEqual([]);
      await call('e');
      expect(inMemory()).toEqual(['b/1', 'c/1', 'e/1']);
    });

    it.each([
      ['a version that says so', {}, { pinned: true }],
      ['a required model', { required: ['z'] }, {}],
    ])('keeps %s in memory whatever comes, and loads it first', async (_what, settings, metadata) => {
      house = new House({ ...LIMITS, ...settings });
      for (const model of ['a', 'b', 'c', 'd']) await measured(model, 1, 'production');
      const pinned = await measured('z', 1, 'production');
      Object.assign(pinned.manifest.metadata, metadata);
      await house.catalog.loadProduction();
      expect(inMemory()).toEqual(['z/1', 'a/1', 'b/1']);
      for (const model of ['c', 'd', 'a', 'b', 'c']) await call(model);
      expect(inMemory()).toContain('z/1');
    });

    it('takes a model that nobody measured here for three times its file, and at least a megabyte', async () => {
      await house.publish('iris', 1);
      await call('iris', 1);
      expect(house.residency.usedBytes).toBe(2 ** 20);
      await house.measurements.keep(house.state.requireVersion('iris', 1).executable, { ...MEASURED, memoryBytes: 5 * 2 ** 20 });
      expect(house.catalog.memory).toEqual({ usedBytes: 5 * 2 ** 20, limitBytes: 10 * 2 ** 20 }); // measured since
    });
  });

  describe('after a repair', () => {
    /** A version that was broken at the start, and displaced; then its file was mended. */
    async function mended(): Promise<VersionRecord> {
      const record = await house.publish('iris', 1, 'production');
      house.runtime.bad.add('iris/1');
      await house.catalog.loadProduction();
      await house.catalog.settle('iris', await house.catalog.load(await house.publish('iris', 2, 'production')));
      house.runtime.bad.clear();
      return record;
    }

    it('serves a version that is promoted again', async () => {
      const candidate = await house.catalog.load(await mended());
      house.move('iris', 1, 'production');
      await house.catalog.settle('iris', candidate);
      expect(house.catalog.resolve('iris')).toBe(candidate);
      expect(house.catalog.resolve('iris', { version: 1 })).toBe(candidate);
    });

    it('calls a version broken no longer that is served', async () => {
      const candidate = await house.catalog.load(await mended());
      house.move('iris', 1, 'production');
      await house.catalog.settle('iris', candidate);
      expect(house.catalog.broken).toEqual([]);
    });

    it('serves a version by its number that could be loaded since', async () => {
      const record = await mended();
      await (await house.catalog.load(record)).retire();
      expect((await house.catalog.resolve('iris', { version: 1 })).record).toBe(record);
    });
  });

  describe('a stored file that is damaged or lost', () => {
    it('makes its version corrupt, and no other; the others are served', async () => {
      const rotten = await house.publish('rotten', 1, 'production');
      const lost = await house.publish('lost', 1, 'production');
      const sound = await house.publish('sound', 1, 'production');
      house.runtime.bad.add('rotten/1');
      await house.blobs.remove(shaOf(lost));
      await house.catalog.loadProduction();
      expect([rotten, lost, sound].map((record) => house.faults.isCorrupt(record))).toEqual([true, true, false]);
      expect(house.catalog.serving).toEqual(['sound']);
    });

    it('does not make a version corrupt that an engine cannot load', async () => {
      const record = await house.publish('iris', 1, 'production');
      house.runtime.load = () => Promise.reject(new ModelRefused('no such operator'));
      await house.catalog.loadProduction();
      expect(house.catalog.broken).toHaveLength(1);
      expect(house.faults.isCorrupt(record)).toBe(false);
    });

    it('keeps nobody from asking for another version of the same model', async () => {
      await house.publish('iris', 1, 'production');
      await house.publish('iris', 2);
      house.runtime.bad.add('iris/1');
      await house.catalog.loadProduction();
      expect((await house.catalog.resolve('iris', { version: 2 })).record.version).toBe(2);
    });

    it('goes on being answered from memory where a scrub finds it, and is not loaded from the damaged bytes again', async () => {
      const record = await house.publish('iris', 1, 'production');
      await house.catalog.loadProduction();
      house.faults.noteDamage(record.blob);
      house.runtime.bad.add('iris/1');
      expect((await house.catalog.resolve('iris')).record).toBe(record);
      expect(house.faults.isCorrupt(record)).toBe(true);
      house.move('iris', 1, 'archived');
      await house.catalog.settle('iris');
      house.move('iris', 1, 'production');
      await house.catalog.loadProduction();
      expect(house.catalog.serving).toEqual([]);
      expect(house.catalog.broken).toHaveLength(1);
    });

    it('is served again as soon as it is healed, without a restart, and is named broken until then', async () => {
      const record = await house.publish('iris', 1, 'production');
      house.runtime.bad.add('iris/1');
      await house.catalog.loadProduction();
      house.runtime.bad.clear();
      house.faults.healed(record.blob);
      expect(house.faults.isCorrupt(record)).toBe(false);
      expect(house.catalog.broken).toHaveLength(1); // good bytes are not yet a model in memory
      await house.catalog.loadProduction('iris');
      expect(house.catalog.broken).toEqual([]);
      expect((await house.catalog.resolve('iris')).record).toBe(record);
    });

    it('is tried at once by the next caller when it is healed', async () => {
      const record = await house.publish('iris', 1);
      house.runtime.bad.add('iris/1');
      const resolving = async () => house.catalog.resolve('iris', { version: 1 });
      await expect(resolving()).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE' });
      house.runtime.bad.clear();
      await expect(resolving()).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE' });
      house.faults.healed(record.blob);
      expect((await resolving()).record).toBe(record);
    });
  });

  describe('of a model that is taken out of service', () => {
    it('lets go of every version of it, and loads none at any wish', async () => {
      const [one, two] = [await house.publish('iris', 1, 'production'), await house.publish('iris', 2)];
      await house.catalog.loadProduction();
      await house.catalog.resolve('iris', { version: 2 });
      await house.catalog.withdraw('iris');
      expect(house.runtime.notes).toEqual(['load iris/1', 'load iris/2', 'unload iris/1', 'unload iris/2']);
      for (const wish of [{}, { version: 2 }, { alias: 'production' }])
        expect(() => house.catalog.resolve('iris', wish)).toThrow('it was unloaded');
      for (const record of [one, two]) expect(house.catalog.stateOf(record)).toEqual({ state: 'UNAVAILABLE', reason: 'unloaded' });
      await house.catalog.loadProduction();
      expect(house.catalog.serving).toEqual([]);
    });

    it('serves nothing of it that was on its way', async () => {
      const record = await house.publish('iris', 1, 'production');
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      house.runtime.gate = gate;
      const call = Promise.resolve(house.catalog.resolve('iris'));
      expect(house.catalog.stateOf(record)).toEqual({ state: 'READY' });
      while (house.runtime.notes.length === 0) await new Promise(setImmediate);
      expect(house.catalog.stateOf(record)).toEqual({ state: 'LOADING' });
      const withdrawn = house.catalog.withdraw('iris');
      open();
      await (await call).run(RUN); // who asked before is answered
      await withdrawn;
      expect(house.catalog.serving).toEqual([]);
      expect(() => house.catalog.resolve('iris')).toThrow('it was unloaded');
    });

    it('serves what is in production when it is put back, not what was', async () => {
      await house.publish('iris', 1, 'production');
      await house.catalog.loadProduction();
      await house.catalog.withdraw('iris');
      const two = await house.publish('iris', 2, 'production');
      await house.catalog.settle('iris', await house.catalog.load(two));
      expect(house.catalog.serving).toEqual([]);
      await house.catalog.reinstate('iris');
      expect((await house.catalog.resolve('iris')).record).toBe(two);
    });

    it('says why it cannot be put back, and tries again when it is asked again', async () => {
      const record = await house.publish('iris', 1, 'production');
      house.runtime.bad.add('iris/1');
      await expect(house.catalog.reinstate('iris')).rejects.toThrow('is not what was uploaded');
      expect(house.catalog.stateOf(record)).toMatchObject({
        state: 'UNAVAILABLE',
        reason: expect.stringContaining('not what was uploaded'),
      });
      house.runtime.bad.clear();
      await house.catalog.reinstate('iris');
      expect(house.catalog.stateOf(record)).toEqual({ state: 'READY' });
    });

    it('has to be there, and has to have a version in production to be put back', async () => {
      await house.publish('iris', 1);
      await expect(house.catalog.withdraw('nobody')).rejects.toThrow('There is no model "nobody"');
      await expect(house.catalog.reinstate('iris')).rejects.toThrow('No version of "iris" is in production');
    });
  });

  describe('settling', () => {
    it('serves the candidate that is in production from one moment to the next, then retires the old one', async () => {
      await house.publish('iris', 1, 'production');
      await house.catalog.loadProduction();
      const record = await house.publish('iris', 2);
      const candidate = await house.catalog.load(record);
      house.move('iris', 2, 'production');
      expect((house.catalog.resolve('iris') as ServedVersion).record.version).toBe(1);
      const settled = house.catalog.settle('iris', candidate);
      expect(house.catalog.resolve('iris')).toBe(candidate);
      await settled;
      expect(house.runtime.notes).toEqual(['load iris/1', 'load iris/2', 'unload iris/1']);
    });

    it('lets the calls of the old one end before its memory is freed', async () => {
      await house.publish('iris', 1, 'production');
      const { promise, resolve } = Promise.withResolvers<void>();
      const load = house.runtime.load.bind(house.runtime);
      house.runtime.load = async (file) => ({
        ...(await load(file)),
        run: () => promise.then(() => ({ outputs: [], inferMs: 0 })),
      });
      await house.catalog.loadProduction();
      const answer = (await house.catalog.resolve('iris')).run(RUN);
      const candidate = await house.catalog.load(await house.publish('iris', 2, 'production'));
      await house.catalog.settle('iris', candidate);
      expect(house.runtime.notes).not.toContain('unload iris/1');
      resolve();
      await expect(answer).resolves.toMatchObject({ outputs: [] });
      expect(house.runtime.notes).toContain('unload iris/1');
    });

    it('retires a candidate that lost its race, and goes on serving what is in production', async () => {
      await house.publish('iris', 1, 'production');
      await house.catalog.loadProduction();
      const current = house.catalog.resolve('iris');
      const candidate = await house.catalog.load(await house.publish('iris', 2));
      await house.catalog.settle('iris', candidate);
      expect(house.catalog.resolve('iris')).toBe(current);
      expect(house.runtime.notes).toEqual(['load iris/1', 'load iris/2', 'unload iris/2']);
    });

    it('loads a version once for two who want to serve it', async () => {
      const record = await house.publish('iris', 1);
      const candidates = [await house.catalog.load(record), await house.catalog.load(record)];
      house.move('iris', 1, 'production');
      for (const candidate of candidates) await house.catalog.settle('iris', candidate);
      expect(candidates[0]).toBe(candidates[1]);
      expect(house.catalog.resolve('iris')).toBe(candidates[1]);
      expect(house.runtime.notes).toEqual(['load iris/1']);
    });

    it('serves nothing any more where the version has left production', async () => {
      await house.publish('iris', 1, 'production');
      await house.catalog.loadProduction();
      house.move('iris', 1, 'archived');
      await house.catalog.settle('iris');
      expect(house.catalog.serving).toEqual([]);
      expect(() => house.catalog.resolve('iris')).toThrow(expect.objectContaining({ code: 'NO_PRODUCTION_VERSION' }));
      expect(house.runtime.notes).toEqual(['load iris/1', 'unload iris/1']);
    });

    it('serves what somebody else promoted meanwhile, loaded at the wish of a caller', async () => {
      await house.publish('iris', 1, 'production');
      await house.catalog.loadProduction();
      await house.publish('iris', 2, 'production');
      await house.catalog.settle('iris');
      expect((await house.catalog.resolve('iris')).record.version).toBe(2);
      expect(house.runtime.notes).toEqual(['load iris/1', 'unload iris/1', 'load iris/2']);
    });

    it('changes nothing where nothing has changed', async () => {
      await house.publish('iris', 1, 'production');
      await house.catalog.loadProduction();
      const current = house.catalog.resolve('iris');
      await house.catalog.settle('iris');
      await house.catalog.settle('never heard of');
      expect(house.catalog.resolve('iris')).toBe(current);
      expect(house.runtime.notes).toEqual(['load iris/1']);
    });

    it('retires a candidate of a model that is not in production at all', async () => {
      const candidate = await house.catalog.load(await house.publish('iris', 1));
      await house.catalog.settle('iris', candidate);
      expect(house.catalog.serving).toEqual([]);
      expect(house.runtime.notes).toEqual(['load iris/1', 'unload iris/1']);
    });
  });
});
