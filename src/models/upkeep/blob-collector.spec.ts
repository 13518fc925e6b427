import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Logger } from '@nestjs/common';
import { RegistryHouse } from '../../../test/process/registry-house';
import type { BlobInfo, BlobName, StagedBlob } from '../../storage/blob-store.port';
import { DurableFiles } from '../../storage/durable-files';
import { LOG_START, type StoredEvent } from '../../storage/event-log.port';
import { FileBlobStore } from '../../storage/file-blob.store';
import { FileEventLog } from '../../storage/file-event.log';
import { BlobCollector } from './blob-collector';
import { RegistryJournal } from '../registry/registry-journal';
import { RegistryState } from '../registry/registry-state';
import type { VersionRecord } from '../registry/registry-records';

const HOUR_MS = 3_600_000;
const digestOf = (content: string): string => createHash('sha256').update(content).digest('hex');

/** Blobs in a folder; what a test wants to happen in between happens after a put and before a removal. */
class WatchedBlobs extends FileBlobStore {
  afterPut: (name: BlobName) => Promise<void> = async () => {};
  beforeRemove: (name: BlobName) => Promise<void> = async () => {};

  override async put(staged: StagedBlob, name?: BlobName): Promise<BlobInfo> {
    const info = await super.put(staged, name);
    await this.afterPut(info.name);
    return info;
  }

  override async remove(name: BlobName): Promise<void> {
    await this.beforeRemove(name);
    await super.remove(name);
  }
}

/** A process on the folder of a registry that others work on too. */
class Process {
  readonly blobs: WatchedBlobs;
  readonly log: FileEventLog;
  readonly house: RegistryHouse;

  private constructor(readonly root: string) {
    this.blobs = new WatchedBlobs(root);
    this.log = new FileEventLog(root);
    this.house = new RegistryHouse(this.blobs, this.log);
  }

  static async on(root: string): Promise<Process> {
    const process = new Process(root);
    await process.journal.onModuleInit();
    return process;
  }

  get state(): RegistryState {
    return this.house.state;
  }

  get journal(): RegistryJournal {
    return this.house.journal;
  }

  get collector(): BlobCollector {
    return this.house.collector;
  }

  async publish(model: string, content: string): Promise<VersionRecord> {
    return (await this.house.publish(model, content)).record;
  }

  /** As an upload leaves it that is lost between its bytes and its event. */
  async orphan(content: string): Promise<void> {
    const blob = await this.blobs.stage(Readable.from([Buffer.from(content)]), 2 ** 20);
    await this.blobs.put(blob, this.state.blobName(blob.digest));
    await blob.discard();
  }

  async stored(): Promise<readonly BlobName[]> {
    return (await Readable.from(this.blobs.list()).toArray()).map(({ name }: BlobInfo) => name);
  }

  async condemnations(): Promise<readonly StoredEvent[]> {
    const entries = await Readable.from(this.log.read(LOG_START)).toArray();
    return entries.map(({ event }) => event as StoredEvent).filter(({ kind }) => kind === 'blobs.condemned');
  }
}

describe(BlobCollector, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'collector-'));
  let root: string;
  let one: Process;

  beforeAll(() => {
    Logger.overrideLogger(false);
    jest.spyOn(DurableFiles.prototype, 'flush').mockResolvedValue(); // nothing here is about power cuts
  });
  beforeEach(async () => {
    root = await mkdtemp(join(scratch, 'store-'));
    one = await Process.on(root);
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    await rm(scratch, { recursive: true, force: true });
  });

  const collect = (process = one, minAgeMs = 0) => process.collector.collect('upkeep', { minAgeMs, undeleteMs: HOUR_MS });

  it('takes away what no version needs, and leaves what one does', async () => {
    const { blob } = await one.publish('iris', 'needed');
    await one.orphan('lost');
    await one.orphan('lost too');
    const condemned = [digestOf('lost'), digestOf('lost too')].sort();
    expect(await collect()).toEqual({ condemned, bytes: 'lost'.length + 'lost too'.length });
    expect(await one.stored()).toEqual([blob]);
    expect(await one.condemnations()).toMatchObject([{ digests: condemned, actor: 'upkeep' }]);
  });

  it('writes nothing where there is nothing to take away', async () => {
    await one.publish('iris', 'needed');
    expect(await collect()).toEqual({ condemned: [], bytes: 0 });
    expect(await one.condemnations()).toEqual([]);
  });

  it('writes the event before it takes anything away', async () => {
    await one.orphan('lost');
    const seen: number[] = [];
    one.blobs.beforeRemove = async () => void seen.push((await one.condemnations()).length);
    await collect();
    expect(seen).toEqual([1]);
  });

  it('leaves what is young: its event may be on its way', async () => {
    await one.orphan('old');
    await one.orphan('young');
    const then = new Date(Date.now() - 2 * HOUR_MS);
    await utimes(join(root, 'blobs', 'sha256', digestOf('old').slice(0, 2), digestOf('old')), then, then);
    expect((await collect(one, 3 * HOUR_MS)).condemned).toEqual([]);
    expect((await collect(one, HOUR_MS)).condemned).toEqual([digestOf('old')]);
    expect(await one.stored()).toEqual([digestOf('young')]);
  });

  it('gives bytes that are published again another name, and leaves them', async () => {
    await one.orphan('lost');
    await collect();
    const [{ seq }] = (await one.condemnations()) as [StoredEvent];
    const { blob } = await one.publish('iris', 'lost');
    expect(blob).toBe(`${digestOf('lost')}.${seq}`);
    expect(await collect()).toEqual({ condemned: [], bytes: 0 });
    expect(await one.blobs.verify(blob)).toBe(true);
  });

  it('gives them yet another name where they are condemned again', async () => {
    for (let round = 0; round < 3; round++) {
      await one.orphan('lost');
      await collect();
    }
    const seqs = (await one.condemnations()).map(({ seq }) => seq);
    expect(new Set(seqs).size).toBe(3);
    expect((await one.publish('iris', 'lost')).blob).toBe(`${digestOf('lost')}.${seqs[2]}`);
    expect(await one.stored()).toEqual([`${digestOf('lost')}.${seqs[2]}`]);
  });

  it('can only take away the old name where it wakes late', async () => {
    await one.orphan('lost');
    const asleep = Promise.withResolvers<void>();
    const sleeping = Promise.withResolvers<void>();
    one.blobs.beforeRemove = async () => {
      asleep.resolve();
      await sleeping.promise;
    };
    const collecting = collect();
    await asleep.promise;
    const other = await Process.on(root);
    const { blob } = await other.publish('iris', 'lost');
    sleeping.resolve();
    await collecting;
    expect(await other.stored()).toEqual([blob]);
    expect(await other.blobs.verify(blob)).toBe(true);
  });

  it('condemns nothing that another process published between the look and the event', async () => {
    await one.orphan('wanted');
    const other = await Process.on(root);
    const { commit } = one.journal;
    jest.spyOn(one.journal, 'commit').mockImplementationOnce(async (...decision) => {
      await other.publish('iris', 'wanted');
      return commit.apply(one.journal, decision);
    });
    expect(await collect()).toEqual({ condemned: [], bytes: 0 });
    expect(await other.blobs.verify(other.state.requireVersion('iris', 1).blob)).toBe(true);
  });

  it('harms no upload whose bytes it condemns before their event: they are written again under their new name', async () => {
    const other = await Process.on(root);
    let rounds = 0;
    one.blobs.afterPut = async () => {
      if (++rounds <= 2) await collect(other);
    };
    const { blob } = await one.publish('iris', 'unlucky');
    expect(rounds).toBe(3);
    expect((await one.condemnations()).map(({ digests }) => digests)).toEqual([[digestOf('unlucky')], [digestOf('unlucky')]]);
    expect(blob).toBe(`${digestOf('unlucky')}.${(await one.condemnations())[1]?.seq}`);
    expect(await one.blobs.verify(blob)).toBe(true);
    expect(await readdir(join(root, '.staging'))).toEqual([]);
  });

  it('is finished by the next one where it was killed between the event and the removal', async () => {
    await one.orphan('lost');
    await one.orphan('lost too');
    const { blob } = await one.publish('iris', 'needed');
    one.blobs.beforeRemove = () => Promise.reject(new Error('killed'));
    await expect(collect()).rejects.toThrow('killed');
    expect(await one.stored()).toHaveLength(3);
    const next = await Process.on(root);
    expect(await collect(next)).toEqual({ condemned: [], bytes: 'lost'.length + 'lost too'.length });
    expect(await next.stored()).toEqual([blob]);
    expect(await next.condemnations()).toHaveLength(1); // no second event
  });

  it('takes away the condemned name although the bytes are needed under their new one', async () => {
    await one.orphan('lost');
    one.blobs.beforeRemove = () => Promise.reject(new Error('killed'));
    await expect(collect()).rejects.toThrow('killed');
    const next = await Process.on(root);
    const { blob } = await next.publish('iris', 'lost');
    expect(await next.stored()).toEqual([digestOf('lost'), blob]);
    expect(await collect(next)).toEqual({ condemned: [], bytes: 4 });
    expect(await next.stored()).toEqual([blob]);
  });

  it('condemns each blob once, and takes each away, where two collect at once', async () => {
    for (let at = 0; at < 5; at++) await one.orphan(`lost ${at}`);
    const other = await Process.on(root);
    const results = await Promise.all([collect(one), collect(other), collect(one), collect(other)]);
    expect(results.flatMap(({ condemned }) => condemned)).toHaveLength(5);
    expect(await one.condemnations()).toHaveLength(1);
    expect(await one.stored()).toEqual([]);
  });

  it('takes nothing away where the disk did not confirm the event', async () => {
    await one.orphan('lost');
    const flush = jest.spyOn(DurableFiles.prototype, 'flushFolder');
    flush.mockImplementation((path) => (path.endsWith('log') ? Promise.reject(new Error('EIO')) : Promise.resolve()));
    await expect(collect()).rejects.toMatchObject({ code: 'COMMIT_UNCERTAIN' });
    expect(await one.stored()).toEqual([digestOf('lost')]);
    await expect(collect()).rejects.toMatchObject({ code: 'READ_ONLY' });
    expect(await one.stored()).toEqual([digestOf('lost')]);
    flush.mockRestore();
    expect((await collect()).bytes).toBe(4); // the event stands: only the rest was left to do
    expect(await one.condemnations()).toHaveLength(1);
  });

  it('takes nothing away, however old, where a newer version wrote to the log: it may need anything', async () => {
    await one.orphan('lost');
    await one.log.append(one.state.position, { kind: 'model.pinned', actor: 'new', correlationId: 'c' });
    await expect(collect()).rejects.toMatchObject({ code: 'READ_ONLY' });
    expect(await one.stored()).toEqual([digestOf('lost')]);
  });

  it('leaves a damaged blob that a version needs: people may want to see it', async () => {
    const { blob } = await one.publish('iris', 'needed');
    const path = join(root, 'blobs', 'sha256', blob.slice(0, 2), blob);
    await chmod(path, 0o644);
    await writeFile(path, 'rotten');
    await one.orphan('lost');
    await collect();
    expect(await one.stored()).toEqual([blob]);
    expect(await readFile(path, 'utf8')).toBe('rotten');
  });
});
