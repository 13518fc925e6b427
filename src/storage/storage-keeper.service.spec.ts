import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import fs, { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { describeOn, Volumes } from '../../test/crash/power-cut-volumes';
import { until } from '../../test/process/processes';
import { StorageConfig } from '../config/app-config';
import { DurableFiles } from './durable-files';
import { SELF } from './staging-owner';
import { StorageKeeper } from './storage-keeper.service';
import { StorageMetrics } from './storage.metrics';

/** How the names of a process begin that is gone: this one's number was used before. */
const GONE = `${SELF.machine}-${SELF.pid}-1-`;

/** A keeper of a folder, and what Prometheus would read of it. */
function keeperOf(modelsDir: string, settings: Partial<StorageConfig> = {}) {
  const registry = new Registry();
  const of = (name: string) => ({ name, help: 'of a test', registers: [registry] });
  const metrics = new StorageMetrics(
    new Histogram(of('fsync')),
    new Counter({ ...of('failures'), labelNames: ['errno'] }),
    new Gauge(of('free')),
    new Gauge(of('capacity')),
    new Counter(of('swept')),
    new Gauge(of('damaged')),
  );
  const figure = async (name: string) => (await registry.getSingleMetric(name)?.get())?.values[0]?.value;
  return { keeper: new StorageKeeper(Object.assign(new StorageConfig(), { modelsDir, ...settings }), metrics), figure };
}

describe(StorageKeeper, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'keeper-'));
  const log = jest.spyOn(Logger.prototype, 'log').mockImplementation(() => {});
  const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
  let root: string;

  beforeEach(async () => {
    root = await mkdtemp(join(scratch, 'store-'));
    await mkdir(join(root, '.staging'));
    log.mockClear();
    error.mockClear();
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    await rm(scratch, { recursive: true, force: true });
  });

  const leave = (name: string, bytes: number) => writeFile(join(root, '.staging', name), Buffer.alloc(bytes));

  it('knows nothing of the file system before it has tried', () => {
    expect(keeperOf(root).keeper.selfTest).toBeUndefined();
  });

  it('tries the file system at the start, and writes down what it found', async () => {
    const { keeper } = keeperOf(root);
    await keeper.prepare();
    expect(keeper.selfTest).toMatchObject({ safe: true, hardLinks: 'ok' });
    expect(log).toHaveBeenCalledWith('file system tested', keeper.selfTest);
    expect(error).not.toHaveBeenCalled();
  });

  it('says aloud that a file system is not safe, and goes on', async () => {
    jest.spyOn(DurableFiles.prototype, 'flushFolder').mockRejectedValueOnce(new Error('EINVAL: no such thing here'));
    const { keeper } = keeperOf(root);
    await keeper.prepare();
    expect(keeper.selfTest).toMatchObject({ safe: false, folderFlush: 'EINVAL: no such thing here', hardLinks: 'ok' });
    expect(error).toHaveBeenCalledWith('the registry takes no changes on this file system', keeper.selfTest);
  });

  it('tries again, later, what was not safe, and nothing that was', async () => {
    jest.spyOn(DurableFiles.prototype, 'flushFolder').mockRejectedValueOnce(new Error('ENOSPC: full'));
    const { keeper } = keeperOf(root);
    await keeper.prepare();
    expect(keeper.selfTest?.safe).toBe(false);
    await keeper.sweep();
    const found = keeper.selfTest;
    expect(found?.safe).toBe(true);
    await keeper.sweep();
    expect(keeper.selfTest).toBe(found);
  });

  it('takes away at the start what a process left that is gone, and counts the bytes', async () => {
    await leave(`${GONE}a`, 1000);
    await leave(`${GONE}b`, 234);
    await leave('of-nobody', 99);
    const { keeper, figure } = keeperOf(root);
    await keeper.prepare();
    expect(await readdir(join(root, '.staging'))).toEqual(['of-nobody']);
    expect(await figure('swept')).toBe(1234);
    expect(log).toHaveBeenCalledWith('staging swept', { files: 2, bytes: 1234 });
    await leave(`${GONE}c`, 6);
    await keeper.sweep();
    expect(await figure('swept')).toBe(1240);
  });

  it('takes away whatever is older than the configured time', async () => {
    await leave('of-nobody', 5);
    await utimes(join(root, '.staging', 'of-nobody'), new Date(), new Date(Date.now() - 3 * 3_600_000));
    await keeperOf(root, { uploadTtlHours: 4 }).keeper.prepare();
    expect(await readdir(join(root, '.staging'))).toEqual(['of-nobody']);
    await keeperOf(root, { uploadTtlHours: 2 }).keeper.prepare();
    expect(await readdir(join(root, '.staging'))).toEqual([]);
  });

  it('says nothing of a sweep that found nothing', async () => {
    await keeperOf(root).keeper.prepare();
    expect(log.mock.calls.map(([said]) => said)).toEqual(['file system tested']);
  });

  it('tells how much may still be written', async () => {
    const { keeper, figure } = keeperOf(root);
    await keeper.prepare();
    expect(await figure('free')).toBeGreaterThan(2 ** 20);
  });

  it('counts a look at a scrape that failed, and goes on telling what was', async () => {
    const { keeper, figure } = keeperOf(root);
    await keeper.prepare();
    const before = await figure('capacity');
    const statfs = jest.spyOn(fs, 'statfs').mockRejectedValue(Object.assign(new Error('EIO'), { code: 'EIO' }));
    await until('it is counted', async () => (await figure('capacity')) === before && ((await figure('failures')) ?? 0) > 0);
    statfs.mockRestore();
    expect(await figure('capacity')).toBe(before);
  });

  it('lets the caller know that a later sweep failed', async () => {
    const { keeper } = keeperOf(root);
    await keeper.prepare();
    await rm(join(root, '.staging'), { recursive: true });
    await writeFile(join(root, '.staging'), 'a file where the folder should be');
    await expect(keeper.sweep()).rejects.toMatchObject({ code: 'ENOTDIR' });
  });
});

const [describeHere, note] = describeOn('tmpfs');

describeHere(`${StorageKeeper.name} on real volumes${note}`, () => {
  const volumes = new Volumes();
  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => volumes.remove());

  it('starts on a read-only volume, whatever lies in its staging area', async () => {
    const root = await volumes.tmpfs('size=1m');
    await mkdir(join(root, '.staging'));
    await writeFile(join(root, '.staging', `${GONE}a`), 'x');
    execFileSync('mount', ['-o', 'remount,ro', root]);
    const { keeper, figure } = keeperOf(root);
    await keeper.prepare();
    expect(keeper.selfTest).toMatchObject({ safe: false, hardLinks: expect.stringMatching(/^EROFS/) });
    expect(await figure('free')).toBeGreaterThan(0);
  });

  it('starts on a full volume, and trusts it as soon as there is room', async () => {
    const root = await volumes.tmpfs('size=256k');
    const others = join(root, 'others');
    await writeFile(others, Buffer.alloc(2 ** 19)).catch(() => {});
    const { keeper, figure } = keeperOf(root);
    await keeper.prepare();
    expect(keeper.selfTest?.safe).toBe(false);
    expect([await figure('free'), await figure('capacity')]).toEqual([0, 2 ** 18]);
    await rm(others);
    await keeper.sweep();
    expect(keeper.selfTest?.safe).toBe(true);
    expect(await figure('free')).toBe(2 ** 18);
  });

  it('looks again at each scrape, and tells it at the next', async () => {
    const root = await volumes.tmpfs('size=1m');
    const { keeper, figure } = keeperOf(root);
    await keeper.prepare();
    await writeFile(join(root, 'others'), Buffer.alloc(2 ** 19));
    await until('it is told', async () => (await figure('free')) === 2 ** 19);
    await rm(join(root, 'others'));
    await until('it is told', async () => (await figure('free')) === 2 ** 20);
    expect(await figure('capacity')).toBe(2 ** 20);
  });

  it('makes room first on a volume that lost uploads have filled', async () => {
    const root = await volumes.tmpfs('size=256k');
    await mkdir(join(root, '.staging'));
    await writeFile(join(root, '.staging', `${GONE}a`), Buffer.alloc(2 ** 19)).catch(() => {});
    const { keeper, figure } = keeperOf(root);
    await keeper.prepare();
    expect(keeper.selfTest?.safe).toBe(true);
    expect(await figure('swept')).toBe(2 ** 18);
    expect(await figure('free')).toBe(2 ** 18);
  });
});
