import { mkdtempSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describeOn, Volumes } from '../../test/crash/power-cut-volumes';
import { CheckpointFiles } from './checkpoint-files';
import { DurableFiles } from './durable-files';
import { type Checkpoint, LOG_START } from './event-log.port';
import { FileEventLog } from './file-event.log';
import { NoSpace } from './storage.errors';
import { hashOf } from './stored-event';

const fileOf = (seq: number): string => `${String(seq).padStart(20, '0')}.json`;
const checkpoint = (seq: number, state: unknown = { at: seq }): Checkpoint => {
  return { position: { seq, hash: hashOf(`event ${seq}`), at: '2026-11-22T12:00:00.000Z' }, state };
};

describe(CheckpointFiles, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'checkpoints-'));
  let root: string;
  let folder: string;
  let files: CheckpointFiles;

  beforeEach(async () => {
    root = await mkdtemp(join(scratch, 'store-'));
    folder = join(root, 'checkpoints');
    files = new CheckpointFiles(new DurableFiles(root));
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });
  afterAll(() => rm(scratch, { recursive: true, force: true }));

  const found = (): Promise<Checkpoint[]> => Readable.from(new CheckpointFiles(new DurableFiles(root)).newestFirst()).toArray();
  const overwrite = async (seq: number, bytes: Uint8Array | string): Promise<void> => {
    await rm(join(folder, fileOf(seq)), { force: true });
    await writeFile(join(folder, fileOf(seq)), bytes);
  };

  it('keeps one under the number of its event, as JSON, and nothing in the staging area', async () => {
    await files.save(checkpoint(7));
    expect(await readdir(folder)).toEqual([fileOf(7)]);
    const text = await readFile(join(folder, fileOf(7)), 'utf8');
    expect(JSON.parse(text)).toEqual({ schema: 4, ...checkpoint(7), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(await readdir(join(root, '.staging'))).toEqual([]);
  });

  it('gives them back to a later process, the newest first', async () => {
    await files.save(checkpoint(7));
    await files.save(checkpoint(1000));
    expect(await found()).toEqual([checkpoint(1000), checkpoint(7)]);
  });

  it('has none where there is no folder, and makes none by looking', async () => {
    expect(await found()).toEqual([]);
    expect(await readdir(root)).toEqual([]);
    await writeFile(folder, 'a file where the folder should be');
    expect(await found()).toEqual([]);
  });

  it('keeps the newest two, so that there is one to go back to', async () => {
    for (const seq of [1, 2, 30, 400]) await files.save(checkpoint(seq));
    expect(await readdir(folder)).toEqual([fileOf(30), fileOf(400)]);
  });

  it('loses nothing that it has just written, whatever lies there with a higher number', async () => {
    await files.save(checkpoint(7));
    for (const seq of [1_000_000, 2_000_000]) await overwrite(seq, 'junk');
    await files.save(checkpoint(8));
    await files.save(checkpoint(9));
    expect(await found()).toEqual([checkpoint(9), checkpoint(8)]);
    expect(await readdir(folder)).toEqual([fileOf(8), fileOf(9), fileOf(1_000_000), fileOf(2_000_000)]);
  });

  it('takes nothing away where it is only asked to write', async () => {
    for (const seq of [1, 2, 3, 4]) await files.write(checkpoint(seq));
    expect(await readdir(folder)).toEqual([1, 2, 3, 4].map(fileOf));
  });

  describe('damage', () => {
    const good = async (): Promise<Buffer> => {
      await files.save(checkpoint(6));
      await files.save(checkpoint(7, { name: 'grüße' }));
      return readFile(join(folder, fileOf(7)));
    };

    it('never takes a flipped bit for a fact, whichever it is, and gives the one before', async () => {
      const bytes = await good();
      for (let bit = 0; bit < bytes.length * 8; bit += 7) {
        const flipped = Buffer.from(bytes);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        await overwrite(7, flipped);
        expect(await found()).toEqual([checkpoint(6)]);
      }
      await overwrite(7, bytes);
      expect(await found()).toEqual([checkpoint(7, { name: 'grüße' }), checkpoint(6)]);
    });

    it('never takes a part for the whole, however much is cut off', async () => {
      const bytes = await good();
      for (let length = 0; length < bytes.length; length++) {
        await overwrite(7, bytes.subarray(0, length));
        expect(await found()).toEqual([checkpoint(6)]);
      }
    });

    it.each<[string, (stored: Record<string, unknown>) => unknown]>([
      ['of a newer form', (stored) => ({ ...stored, schema: 5 })],
      ['of no form', ({ schema: _schema, ...stored }) => stored],
      ['whose state was changed', (stored) => ({ ...stored, state: { at: 8 } })],
      ['whose state is gone', ({ state: _state, ...stored }) => stored],
      ['whose number was changed', (stored) => ({ ...stored, position: { ...checkpoint(7).position, seq: 6 } })],
      ['whose time was changed', (stored) => ({ ...stored, position: { ...checkpoint(7).position, at: '2036-11-22T12:00:00.000Z' } })],
      ['whose position is gone', ({ position: _position, ...stored }) => stored],
      ['without a hash', ({ sha256: _sha256, ...stored }) => stored],
      ['that is null', () => null],
      ['that is a list', () => []],
      ['that is a number', () => 7],
    ])('passes over one %s', async (_what, change) => {
      const stored = JSON.parse((await good()).toString()) as Record<string, unknown>;
      await overwrite(7, JSON.stringify(change(stored)));
      expect(await found()).toEqual([checkpoint(6)]);
    });

    it('puts a good one in the place of a damaged one', async () => {
      await good();
      await overwrite(7, 'junk');
      await files.save(checkpoint(7));
      expect(await found()).toEqual([checkpoint(7), checkpoint(6)]);
      expect(await readdir(join(root, '.staging'))).toEqual([]);
    });
  });

  it('passes over what is no checkpoint, and leaves it where it is', async () => {
    await files.save(checkpoint(7));
    await writeFile(join(folder, 'README.txt'), 'x');
    await writeFile(join(folder, '9.json'), 'x');
    await writeFile(join(folder, `${fileOf(9)}.tmp`), 'x');
    await mkdir(join(folder, fileOf(5)));
    await symlink(join(folder, fileOf(7)), join(folder, fileOf(6)));
    const before = await readdir(folder);
    expect(await found()).toEqual([checkpoint(7)]);
    await files.save(checkpoint(8));
    await files.save(checkpoint(9));
    expect(await found()).toEqual([checkpoint(9), checkpoint(8)]);
    const ours = new Set([7, 8, 9].map(fileOf));
    const foreign = (names: readonly string[]) => names.filter((name) => !ours.has(name));
    expect(foreign(await readdir(folder))).toEqual(foreign(before));
  });

  it('is saved whole by many at once', async () => {
    await Promise.all(Array.from({ length: 8 }, (_, at) => new CheckpointFiles(new DurableFiles(root)).save(checkpoint(7 + (at % 2)))));
    expect(await found()).toEqual([checkpoint(8), checkpoint(7)]);
    expect(await readdir(join(root, '.staging'))).toEqual([]);
  });

  it('is in its place only when the disk has confirmed its bytes, and its name is confirmed too', async () => {
    const order: string[] = [];
    const { claim, flush, flushFolder } = DurableFiles.prototype;
    jest.spyOn(DurableFiles.prototype, 'flush').mockImplementation(function (this: DurableFiles, file) {
      order.push('flush');
      return flush.call(this, file);
    });
    jest.spyOn(DurableFiles.prototype, 'flushFolder').mockImplementation(function (this: DurableFiles, path) {
      order.push(`flush ${path === folder ? 'checkpoints' : 'above'}`);
      return flushFolder.call(this, path);
    });
    jest.spyOn(DurableFiles.prototype, 'claim').mockImplementation(async function (this: DurableFiles, staged, path) {
      const claimed = await claim.call(this, staged, path);
      order.push('name');
      return claimed;
    });
    await files.save(checkpoint(7));
    expect(order.indexOf('flush')).toBe(0);
    expect(order.lastIndexOf('flush checkpoints')).toBeGreaterThan(order.indexOf('name'));
  });

  it('leaves what was there, and nothing in the staging area, where it cannot be written', async () => {
    await files.save(checkpoint(7));
    jest.spyOn(DurableFiles.prototype, 'claim').mockRejectedValueOnce(Object.assign(new Error('EIO'), { code: 'EIO' }));
    await expect(files.save(checkpoint(8))).rejects.toMatchObject({ code: 'EIO' });
    expect(await found()).toEqual([checkpoint(7)]);
    expect(await readdir(join(root, '.staging'))).toEqual([]);
  });

  it('passes on what the disk refuses to a reader', async () => {
    await rm(folder, { recursive: true, force: true });
    await symlink('checkpoints', folder);
    await expect(found()).rejects.toMatchObject({ code: 'ELOOP' });
  });
});

describe(`${CheckpointFiles.name} behind a log`, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'checkpoints-'));
  afterAll(() => rm(scratch, { recursive: true, force: true }));
  const fields = { kind: 'test.happened', actor: 'tester', correlationId: 'c-1' };

  it('goes back to the older one where the newer is damaged, and to none where its event was lost', async () => {
    const root = await mkdtemp(join(scratch, 'store-'));
    const log = new FileEventLog(root);
    const first = await log.append(LOG_START, fields);
    const second = await log.append(first.position, fields);
    for (const { position } of [first, second]) await log.saveCheckpoint({ position, state: { at: position.seq } });
    const path = join(root, 'checkpoints', fileOf(2));
    await chmod(path, 0o644);
    await writeFile(path, 'junk');
    expect(await log.newestCheckpoint()).toEqual({ position: first.position, state: { at: 1 } });
    for (const seq of [1, 2]) await rm(join(root, 'log', fileOf(seq)));
    expect(await log.newestCheckpoint()).toBeUndefined();
  });
});

const [describeHere, note] = describeOn('tmpfs');

describeHere(`${CheckpointFiles.name} on a full volume${note}`, () => {
  const volumes = new Volumes();
  afterAll(() => volumes.remove());

  it('says NoSpace, leaves the one before and nothing in the staging area', async () => {
    const root = await volumes.tmpfs('size=64k');
    const log = new FileEventLog(root);
    const { position } = await log.append(LOG_START, { kind: 'test.happened', actor: 'tester', correlationId: 'c-1' });
    await log.saveCheckpoint({ position, state: { small: true } });
    await expect(log.saveCheckpoint({ position, state: 'x'.repeat(2 ** 17) })).rejects.toBeInstanceOf(NoSpace);
    expect(await readdir(join(root, '.staging'))).toEqual([]);
    expect(await log.newestCheckpoint()).toEqual({ position, state: { small: true } });
    expect(log.uncertain).toBe(false);
  });
});
