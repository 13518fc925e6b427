import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import canonicalize from 'canonicalize';
import { eventLogContract } from '../../test/contracts/event-log.contract';
import { DurableFiles } from './durable-files';
import { type EventFields, LOG_START, type LogEntry, type LogPosition } from './event-log.port';
import { FileEventLog } from './file-event.log';
import { CommitUncertain, EventConflict, LogDamaged, NoSpace } from './storage.errors';

const scratch = mkdtempSync(join(tmpdir(), 'log-'));
const freshFolder = (): Promise<string> => mkdtemp(join(scratch, 'store-'));
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe(FileEventLog.name, () =>
  eventLogContract(async () => {
    const root = await freshFolder();
    return [new FileEventLog(root), new FileEventLog(root)];
  }),
);

describe(`${FileEventLog.name} on disk`, () => {
  let root: string;
  let folder: string;
  let log: FileEventLog;

  const fields = (n: number): EventFields => ({ kind: 'test.happened', actor: 'tester', correlationId: `c-${n}`, n });
  const pathOf = (seq: number): string => join(folder, `${String(seq).padStart(20, '0')}.json`);
  const appendMany = async (count: number): Promise<LogEntry[]> => {
    const entries: LogEntry[] = [];
    for (let n = 1; n <= count; n++) entries.push(await log.append(entries.at(-1)?.position ?? LOG_START, fields(n)));
    return entries;
  };
  const read = (from: LogPosition = LOG_START): Promise<LogEntry[]> => Readable.from(new FileEventLog(root).read(from)).toArray();
  const overwrite = async (seq: number, bytes: Uint8Array | string): Promise<void> => {
    await chmod(pathOf(seq), 0o644);
    await writeFile(pathOf(seq), bytes);
  };
  const damagedAt = (...seqs: readonly number[]): jest.AsymmetricMatcher =>
    expect.stringMatching(new RegExp(`^Event (${seqs.join('|')}) of the log`));

  beforeEach(async () => {
    root = await freshFolder();
    folder = join(root, 'log');
    log = new FileEventLog(root);
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('keeps event n under its number of twenty digits, read-only, and nothing in the staging area', async () => {
    await appendMany(2);
    expect(await readdir(folder)).toEqual(['00000000000000000001.json', '00000000000000000002.json']);
    // what this user's umask takes away it takes away everywhere
    expect((await stat(pathOf(1))).mode & 0o777).toBe(0o444 & ~process.umask());
    expect(await readdir(join(root, '.staging'))).toEqual([]);
  });

  it('writes canonical JSON', async () => {
    const [entry] = await appendMany(1);
    const text = await readFile(pathOf(1), 'utf8');
    expect(text).toBe(canonicalize(entry!.event));
    expect(Object.keys(JSON.parse(text) as object)).toEqual(['actor', 'at', 'correlationId', 'kind', 'n', 'previous', 'seq']);
  });

  it('leaves nothing in the staging area when it loses a race', async () => {
    await appendMany(1);
    await expect(log.append(LOG_START, fields(9))).rejects.toBeInstanceOf(EventConflict);
    expect(await readdir(join(root, '.staging'))).toEqual([]);
  });

  it('reads what an earlier process wrote, and makes no folder by reading', async () => {
    expect(await read()).toEqual([]);
    expect(await readdir(root)).toEqual([]);
    const entries = await appendMany(3);
    expect(await read()).toEqual(entries);
  });

  it.each([
    ['with a slash at its end', (name: string) => `${name}/`],
    ['through a parent', (name: string) => `${name}/x/..`],
  ])('works in a folder that is named %s', async (_how, name) => {
    log = new FileEventLog(name(root));
    const entries = await appendMany(2);
    expect(await read()).toEqual(entries);
  });

  describe('damage', () => {
    it('tells a flipped byte by the event or by the one chained to it, whichever byte it is', async () => {
      const entries = await appendMany(3);
      const good = await readFile(pathOf(2));
      for (let at = 0; at < good.length; at++) {
        const flipped = Buffer.from(good);
        flipped[at] = good[at]! ^ 1;
        await overwrite(2, flipped);
        const failure = read();
        await expect(failure).rejects.toBeInstanceOf(LogDamaged);
        await expect(failure).rejects.toMatchObject({ message: damagedAt(2, 3) });
      }
      await overwrite(2, good);
      expect(await read()).toEqual(entries);
    });

    it('names the next event when the changed one is still an event', async () => {
      await appendMany(3);
      await overwrite(2, (await readFile(pathOf(2), 'utf8')).replace('tester', 'somebody else'));
      await expect(read()).rejects.toMatchObject({ message: damagedAt(3) });
    });

    it('names the event that is cut off', async () => {
      await appendMany(3);
      await overwrite(2, (await readFile(pathOf(2))).subarray(0, 40));
      await expect(read()).rejects.toMatchObject({ message: damagedAt(2) });
    });

    it('gives the events before the damage first', async () => {
      const entries = await appendMany(3);
      await overwrite(3, '');
      const seen: LogEntry[] = [];
      const reading = (async () => {
        for await (const entry of log.read(LOG_START)) seen.push(entry);
      })();
      await expect(reading).rejects.toMatchObject({ message: damagedAt(3) });
      expect(seen).toEqual(entries.slice(0, 2));
    });

    it.each([1, 2, 3])('names event %i when it is missing before later ones', async (seq) => {
      await appendMany(4);
      await rm(pathOf(seq));
      const failure = read();
      await expect(failure).rejects.toBeInstanceOf(LogDamaged);
      await expect(failure).rejects.toMatchObject({ message: damagedAt(seq) });
    });

    it('sees a wide gap, too, when it reads the whole log', async () => {
      await appendMany(5);
      for (const seq of [2, 3, 4]) await rm(pathOf(seq));
      await expect(read()).rejects.toMatchObject({ message: damagedAt(2) });
    });

    it('sees a missing event when it reads on from the one before', async () => {
      const entries = await appendMany(3);
      await rm(pathOf(2));
      await expect(read(entries[0]!.position)).rejects.toMatchObject({ message: damagedAt(2) });
    });

    it('takes no gap for damage that another process fills while it looks', async () => {
      const [first] = await appendMany(1);
      const looking = log as unknown as { anyBeyond(seq: number): Promise<boolean> };
      const look = looking.anyBeyond.bind(log);
      jest.spyOn(looking, 'anyBeyond').mockImplementationOnce(async (seq) => {
        const other = new FileEventLog(root);
        const second = await other.append(first!.position, fields(2));
        await other.append(second.position, fields(3));
        return look(seq);
      });
      expect(await Readable.from(log.read(LOG_START)).toArray()).toEqual([first]);
      expect((await read()).map(({ event }) => event.seq)).toEqual([1, 2, 3]);
    });

    it('refuses an event in the place of another', async () => {
      await appendMany(3);
      await overwrite(2, await readFile(pathOf(3)));
      await expect(read()).rejects.toMatchObject({ message: damagedAt(2) });
    });
  });

  it.each([
    ['a folder', (path: string) => mkdir(path)],
    ['a pipe that nobody writes to', (path: string) => void execFileSync('mkfifo', [path])],
    ['a link into nowhere', (path: string) => symlink('nowhere', path)],
    ['a link to an event', (path: string) => symlink(pathOf(1), path)],
    ['a link to itself', (path: string) => symlink(path, path)],
  ])('calls %s with the name of the next event damage, and waits for nothing', async (_what, make) => {
    const [first] = await appendMany(1);
    await make(pathOf(2));
    await expect(read()).rejects.toThrow('Event 2 of the log cannot be trusted: it is no file');
    await expect(read(first!.position)).rejects.toBeInstanceOf(LogDamaged);
    await expect(log.append(first!.position, fields(2))).rejects.toBeInstanceOf(EventConflict);
  });

  it('ignores what is no event', async () => {
    const entries = await appendMany(2);
    await writeFile(join(folder, '00000000000000000009.json.tmp'), 'x');
    await writeFile(join(folder, '.00000000000000000009.json'), 'x');
    await writeFile(join(folder, '9.json'), 'x');
    await writeFile(join(folder, '0000000000000000000009.json'), 'x');
    await writeFile(join(folder, 'README.txt'), 'x');
    await mkdir(join(folder, 'lost+found'));
    expect(await read()).toEqual(entries);
    const next = await log.append(entries[1]!.position, fields(3));
    expect(await read()).toEqual([...entries, next]);
  });

  describe('a disk that does not confirm', () => {
    /** From now on the first `failures` flushes of the folder of events fail, as a dying disk makes them. */
    const failFlushes = (failures: number): void => {
      const flush = DurableFiles.prototype.flushFolder;
      let left = failures;
      jest.spyOn(DurableFiles.prototype, 'flushFolder').mockImplementation(function (this: DurableFiles, path: string) {
        if (path !== folder || left === 0) return flush.call(this, path);
        left--;
        return Promise.reject(Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' }));
      });
    };

    it('answers CommitUncertain with the number and the cause', async () => {
      const [first] = await appendMany(1);
      failFlushes(1);
      const failure = log.append(first!.position, fields(2));
      await expect(failure).rejects.toBeInstanceOf(CommitUncertain);
      await expect(failure).rejects.toMatchObject({ message: expect.stringContaining('Event 2 '), cause: { code: 'EIO' } });
    });

    it('never takes the event back', async () => {
      const [first] = await appendMany(1);
      failFlushes(1);
      await expect(log.append(first!.position, fields(2))).rejects.toBeInstanceOf(CommitUncertain);
      expect((await read()).map(({ event }) => event)).toEqual([first!.event, expect.objectContaining({ seq: 2, n: 2 })]);
      await expect(new FileEventLog(root).append(first!.position, fields(9))).rejects.toBeInstanceOf(EventConflict);
      expect(await readdir(join(root, '.staging'))).toEqual([]);
    });

    it('refuses every further append until it is settled, and writes nothing', async () => {
      failFlushes(1);
      expect(log.uncertain).toBe(false);
      await expect(log.append(LOG_START, fields(1))).rejects.toBeInstanceOf(CommitUncertain);
      expect(log.uncertain).toBe(true);
      const [first] = await read();
      await expect(log.append(first!.position, fields(2))).rejects.toBeInstanceOf(CommitUncertain);
      await expect(log.append(LOG_START, fields(2))).rejects.toBeInstanceOf(CommitUncertain);
      expect(await readdir(folder)).toEqual(['00000000000000000001.json']);
    });

    it('is writable again when the disk confirms at last', async () => {
      failFlushes(1);
      await expect(log.append(LOG_START, fields(1))).rejects.toBeInstanceOf(CommitUncertain);
      const [first] = await read();
      await log.settle();
      expect(log.uncertain).toBe(false);
      const second = await log.append(first!.position, fields(2));
      expect(await read()).toEqual([first, second]);
    });

    it('stays uncertain while settling fails', async () => {
      failFlushes(2);
      await expect(log.append(LOG_START, fields(1))).rejects.toBeInstanceOf(CommitUncertain);
      await expect(log.settle()).rejects.toBeInstanceOf(CommitUncertain);
      expect(log.uncertain).toBe(true);
      await log.settle();
      expect(log.uncertain).toBe(false);
    });
  });

  describe('a full volume', () => {
    it.each(['ENOSPC', 'EDQUOT'])('answers NoSpace to %s while the event is written, and the log stands where it stood', async (code) => {
      const entries = await appendMany(1);
      jest.spyOn(DurableFiles.prototype, 'writeStaged').mockRejectedValueOnce(Object.assign(new Error(code), { code }));
      await expect(log.append(entries[0]!.position, fields(2))).rejects.toBeInstanceOf(NoSpace);
      expect(log.uncertain).toBe(false);
      expect(await read()).toEqual(entries);
      await log.append(entries[0]!.position, fields(2));
    });

    it('answers NoSpace while the event takes its number, and leaves nothing in the staging area', async () => {
      const entries = await appendMany(1);
      jest.spyOn(DurableFiles.prototype, 'claim').mockRejectedValueOnce(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }));
      await expect(log.append(entries[0]!.position, fields(2))).rejects.toBeInstanceOf(NoSpace);
      expect(await readdir(join(root, '.staging'))).toEqual([]);
      expect(await read()).toEqual(entries);
    });
  });

  it('passes on what else the disk refuses', async () => {
    await writeFile(folder, 'a file where the folder should be');
    await expect(log.append(LOG_START, fields(1))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(read()).rejects.toMatchObject({ code: 'ENOTDIR' });
    expect(await readdir(join(root, '.staging'))).toEqual([]);
  });
});

const mountTiny = (folder: string): void => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32k', 'tmpfs', folder], { stdio: 'ignore' });
};
const unmount = (folder: string): void => {
  execFileSync('umount', [folder], { stdio: 'ignore' });
};

function mayMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'mount-'));
  try {
    mountTiny(folder);
    unmount(folder);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const [describeHere, note] = mayMount() ? [describe, ''] : [describe.skip, ' (SKIPPED: this user may not mount a tmpfs)'];

describeHere(`${FileEventLog.name} on a full volume${note}`, () => {
  let root: string;

  beforeAll(async () => {
    root = await freshFolder();
    mountTiny(root);
  });

  afterAll(() => unmount(root));

  it('says NoSpace, leaves nothing in the staging area, and appends what fits under the same number', async () => {
    const log = new FileEventLog(root);
    const fields = { kind: 'test.happened', actor: 'tester', correlationId: 'c-1' };
    await expect(log.append(LOG_START, { ...fields, note: 'x'.repeat(2 ** 16) })).rejects.toBeInstanceOf(NoSpace);
    expect(await readdir(join(root, '.staging'))).toEqual([]);
    const entry = await log.append(LOG_START, fields);
    expect(await Readable.from(log.read(LOG_START)).toArray()).toEqual([entry]);
  });
});
