import { mkdtempSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { checkpointNumbers, holdsRegistry, type Oddment, oddments } from './folder-inventory';
import { OWNER_PREFIX, SELF } from './staging-owner';

const DIGEST = '277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9';
const EVENT = `${'1'.padStart(20, '0')}.json`;

describe('what is in the folder of a registry', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'inventory-'));
  let root: string;
  beforeEach(async () => void (root = await mkdtemp(join(scratch, 'store-'))));
  afterAll(() => rm(scratch, { recursive: true, force: true }));

  const put = async (...path: readonly string[]): Promise<void> => {
    await mkdir(dirname(join(root, ...path)), { recursive: true });
    await writeFile(join(root, ...path), 'x');
  };
  const found = (): Promise<Oddment[]> => Readable.from(oddments(root)).toArray();

  it('is no registry without an event', async () => {
    expect(await holdsRegistry(root)).toBe(false);
    expect(await holdsRegistry(join(root, 'nowhere'))).toBe(false);
    await put('log', 'README.txt');
    await put('blobs', 'sha256', '27', DIGEST);
    expect(await holdsRegistry(root)).toBe(false);
    await put('log', EVENT);
    expect(await holdsRegistry(root)).toBe(true);
    expect(await holdsRegistry(join(root, 'log', EVENT))).toBe(false); // a file
  });

  it('knows the numbers of the checkpoints', async () => {
    expect(await checkpointNumbers(root)).toEqual([]);
    for (const name of ['00000000000000001000.json', '00000000000000000007.json', '7.json', 'x']) await put('checkpoints', name);
    await mkdir(join(root, 'checkpoints', '00000000000000000009.json'));
    expect(await checkpointNumbers(root)).toEqual([7, 1000]);
  });

  it('is nothing odd where everything is ours', async () => {
    expect(await found()).toEqual([]);
    await put('log', EVENT);
    await put('checkpoints', EVENT);
    await put('blobs', 'sha256', '27', DIGEST);
    await put('blobs', 'sha256', '27', `${DIGEST}.12`);
    await put('derived', 'anything');
    await put('auth', 'keys.json');
    await put('.staging', `${OWNER_PREFIX}upload`);
    await put('.staging', `${SELF.machine === '00000000' ? '11111111' : '00000000'}-1-1-upload`);
    expect(await found()).toEqual([]);
  });

  it.each([
    ['log', 'README.txt'],
    ['log', '1.json'],
    ['log', `${EVENT}.tmp`],
    ['checkpoints', '.hidden'],
    ['blobs', 'sha256', 'README.txt'],
    ['blobs', 'sha256', '27f', `27f${DIGEST.slice(3)}`],
    ['blobs', 'sha256', '2G', DIGEST],
    ['blobs', 'sha256', '28', DIGEST],
    ['blobs', 'sha256', '27', DIGEST.toUpperCase()],
    ['blobs', 'sha256', '27', `${DIGEST}.`],
    ['blobs', 'sha256', '27', `${DIGEST}.tmp`],
    ['.staging', 'notes.txt'],
  ])('names %s/%s as foreign', async (...path) => {
    await put(...path);
    const [only, ...more] = await found();
    expect(more).toEqual([]);
    expect(only?.kind).toBe('foreign');
    expect(join(...path).startsWith(only?.path as string)).toBe(true);
    expect(only?.path.split('/').length).toBeGreaterThan(1); // the file or its folder, never a whole room
  });

  it('names folders and links with the names of events and blobs as foreign, and follows none', async () => {
    await put('log', EVENT);
    await mkdir(join(root, 'log', EVENT.replace('1', '2')));
    await symlink(join(root, 'log', EVENT), join(root, 'log', EVENT.replace('1', '3')));
    await mkdir(join(root, 'blobs', 'sha256', '27', DIGEST), { recursive: true });
    await put('outside', 'x');
    await symlink(join(root, 'outside'), join(root, 'blobs', 'sha256', '28'));
    expect((await found()).map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      `foreign log/${EVENT.replace('1', '2')}`,
      `foreign log/${EVENT.replace('1', '3')}`,
      `foreign blobs/sha256/27/${DIGEST}`,
      'foreign blobs/sha256/28',
    ]);
  });

  it('names what an upload left whose process is gone, and what is in quarantine', async () => {
    const left = `${SELF.machine}-${SELF.pid}-1-upload`;
    await put('.staging', left);
    await put('.quarantine', `${DIGEST}-1790000000000`);
    expect(await found()).toEqual([
      { kind: 'left', path: `.staging/${left}` },
      { kind: 'quarantined', path: `.quarantine/${DIGEST}-1790000000000` },
    ]);
  });

  it('passes on what the disk refuses', async () => {
    await symlink('log', join(root, 'log'));
    await expect(found()).rejects.toMatchObject({ code: 'ELOOP' });
  });
});
