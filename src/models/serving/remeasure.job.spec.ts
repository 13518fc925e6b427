import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { AnyRuntime, MEASURED, REPORT } from '../../../test/process/any-runtime';
import type { ImportReport, ModelFile } from '../../runtime/model-runtime.port';
import { ModelRefused } from '../../runtime/runtime.errors';
import type { LocalBlob } from '../../storage/blob-store.port';
import { DerivedFiles } from '../../storage/derived-files';
import { LOG_START, type LogPosition } from '../../storage/event-log.port';
import { MemoryBlobStore } from '../../storage/memory-blob.store';
import { sealEvent } from '../../storage/stored-event';
import { Measurements } from './measurements';
import type { Stage } from '../registry/registry-event';
import type { Decision } from '../registry/registry-journal';
import { RegistryState } from '../registry/registry-state';
import type { VersionRecord } from '../registry/registry-records';
import { RemeasureJob } from './remeasure.job';

const scratch = mkdtempSync(join(tmpdir(), 'remeasure-'));

/** Takes any file, unless told otherwise, and writes down which, by the file's content. */
class NotebookRuntime extends AnyRuntime {
  readonly notes: string[] = [];
  readonly bad = new Set<string>();
  /** What an import waits for. */
  gate: Promise<void> = Promise.resolve();

  override async import({ path, sha256 }: ModelFile): Promise<ImportReport> {
    const content = await readFile(path, 'utf8');
    this.notes.push(content);
    expect(sha256).toBe(shaOf(content));
    await this.gate;
    if (this.bad.has(content)) throw new ModelRefused('it is no good');
    this.notes.push(`${content} done`);
    return { ...REPORT, measured: { ...MEASURED, loadMs: this.notes.length } };
  }
}

/** Knows how many local files are in somebody's hands. */
class CountingBlobs extends MemoryBlobStore {
  lent = 0;

  override async local(name: string): Promise<LocalBlob> {
    const file = await super.local(name);
    this.lent++;
    const release = async () => {
      this.lent--;
      await file.release();
    };
    return { path: file.path, release };
  }
}

class House {
  readonly state = new RegistryState();
  readonly runtime = new NotebookRuntime();
  readonly blobs = new CountingBlobs();
  readonly measurements: Measurements;
  readonly job: RemeasureJob;
  private at: LogPosition = LOG_START;

  constructor(folder = mkdtempSync(join(scratch, 'root-'))) {
    this.measurements = new Measurements(new DerivedFiles(folder), this.runtime);
    this.job = new RemeasureJob(this.state, this.measurements, this.runtime, this.blobs);
  }

  /** Publishes a version whose file says its name. */
  async publish(model: string, version: number, stage: Stage = 'production', content = `${model}/${version}`): Promise<VersionRecord> {
    const staged = await this.blobs.stage(bytesOf(content), 1024);
    await this.blobs.put(staged);
    await staged.discard();
    const manifest = { files: [{ path: 'model.onnx', size: staged.bytes, sha256: staged.digest }], metadata: {} };
    const signature = { inputs: [], outputs: [] };
    const about = { digest: `digest ${model}/${version}`, executable: shaOf(`executable ${content}`), engine: 'onnx', signature } as const;
    this.tell({ kind: 'version.published', model, version, manifest, ...about });
    if (stage !== 'staging') this.tell({ kind: 'stage.changed', model, version, stage });
    return this.state.requireVersion(model, version);
  }

  /** Runs the job to its end. */
  async run(): Promise<void> {
    this.job.start();
    await this.ended();
  }

  /** Waits until the job, whatever it does, has come to rest. */
  async ended(): Promise<void> {
    await (this.job as unknown as { readonly running: Promise<void> }).running;
  }

  private tell(decision: Decision): void {
    const { entry } = sealEvent(this.at, { ...decision, actor: 'ada', correlationId: 'test-0001' }, new Date());
    this.at = entry.position;
    this.state.apply(entry);
  }
}

describe(RemeasureJob, () => {
  const log = jest.spyOn(Logger.prototype, 'log').mockImplementation(() => {});
  let house: House;
  beforeEach(() => {
    log.mockClear();
    house = new House();
  });
  afterEach(async () => {
    expect(house.blobs.lent).toBe(0);
    await house.blobs.dispose();
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    await rm(scratch, { recursive: true });
  });

  it('measures what is in production, and nothing else', async () => {
    await house.publish('iris', 1, 'archived');
    await house.publish('iris', 2);
    await house.publish('iris', 3, 'staging');
    await house.publish('wine', 1, 'staging');
    await house.run();
    expect(house.runtime.notes).toEqual(['iris/2', 'iris/2 done']);
    expect(log.mock.calls).toEqual([['models measured again', { models: 1 }]]);
  });

  it('keeps what it found for the executable', async () => {
    const { executable } = await house.publish('iris', 1);
    await house.run();
    const measured = { ...MEASURED, loadMs: 2 };
    expect(house.measurements.of(executable)).toEqual(measured);
    expect(await house.measurements.find(executable)).toEqual(measured);
  });

  it('measures nothing that was measured on a machine like this one, now or before a restart, and says nothing then', async () => {
    const folder = mkdtempSync(join(scratch, 'root-'));
    const before = new House(folder);
    await before.publish('iris', 1);
    await before.run();
    house = new House(folder);
    await house.publish('iris', 1);
    const { executable } = await house.publish('wine', 1);
    await house.measurements.keep(executable, MEASURED);
    log.mockClear();
    await house.run();
    expect(house.runtime.notes).toEqual([]);
    expect(log).not.toHaveBeenCalled();
  });

  it('measures again what was measured on another machine only', async () => {
    const { executable } = await house.publish('iris', 1);
    await house.measurements.keep(executable, { ...MEASURED, machine: 'another' });
    await house.run();
    expect(house.runtime.notes).toEqual(['iris/1', 'iris/1 done']);
    expect(house.measurements.of(executable)?.machine).toBe('any');
  });

  it('measures one after another', async () => {
    for (const model of ['a', 'b', 'c']) await house.publish(model, 1);
    const gate = Promise.withResolvers<void>();
    house.runtime.gate = gate.promise;
    house.job.start();
    await until(() => house.runtime.notes.length > 0);
    await settled();
    expect(house.runtime.notes).toEqual(['a/1']);
    expect(house.blobs.lent).toBe(1);
    gate.resolve();
    await house.ended();
    expect(house.runtime.notes).toEqual(['a/1', 'a/1 done', 'b/1', 'b/1 done', 'c/1', 'c/1 done']);
    expect(log.mock.calls).toEqual([['models measured again', { models: 3 }]]);
  });

  it('measures an executable once, however many models have it in production', async () => {
    for (const model of ['a', 'b']) await house.publish(model, 1, 'production', 'the same');
    await house.run();
    expect(house.runtime.notes).toEqual(['the same', 'the same done']);
  });

  it('measures the others where one cannot be imported, and where the file of one is gone', async () => {
    for (const model of ['a', 'b', 'c']) await house.publish(model, 1);
    const { executable } = house.state.requireVersion('a', 1);
    house.runtime.bad.add('a/1');
    await house.blobs.remove(house.state.requireVersion('b', 1).blob);
    await house.run();
    expect(house.runtime.notes).toEqual(['a/1', 'c/1', 'c/1 done']);
    expect(house.measurements.of(executable)).toBeUndefined();
    expect(log.mock.calls).toEqual([['models measured again', { models: 1 }]]);
  });

  it('stops between two when the application does, which waits for the one that runs', async () => {
    for (const model of ['a', 'b']) await house.publish(model, 1);
    const gate = Promise.withResolvers<void>();
    house.runtime.gate = gate.promise;
    house.job.start();
    await until(() => house.runtime.notes.length > 0);
    let stopped = false;
    const stopping = house.job.beforeApplicationShutdown().then(() => (stopped = true));
    await settled();
    expect(stopped).toBe(false);
    gate.resolve();
    await stopping;
    expect(house.runtime.notes).toEqual(['a/1', 'a/1 done']);
    expect(house.blobs.lent).toBe(0);
    await settled();
    expect(house.runtime.notes).toEqual(['a/1', 'a/1 done']);
    expect(house.measurements.of(house.state.requireVersion('a', 1).executable)).toBeDefined();
  });

  it('does not begin with one where the application stops while it looks whether that was measured', async () => {
    await house.publish('a', 1);
    house.job.start();
    await house.job.beforeApplicationShutdown();
    expect(house.runtime.notes).toEqual([]);
  });

  it('does nothing where the application stopped before it was begun', async () => {
    await house.publish('a', 1);
    await house.job.beforeApplicationShutdown();
    await house.run();
    expect(house.runtime.notes).toEqual([]);
  });

  it('lets the application stop where it has measured everything, or something could not be measured', async () => {
    await house.publish('a', 1);
    house.runtime.bad.add('a/1');
    await house.run();
    await expect(house.job.beforeApplicationShutdown()).resolves.toBeUndefined();
  });
});

/** Long enough for whatever is about to happen. */
const settled = () => new Promise((resolve) => void setTimeout(resolve, 30));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

async function* bytesOf(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}

function shaOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
