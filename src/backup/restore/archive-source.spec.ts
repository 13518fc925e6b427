import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { Logger } from '@nestjs/common';
import { type BackupSettings, BackupHouse, exists, KEY, OTHER_KEY } from '../../../test/backup/backup-house';
import { LIMITS } from '../../../test/archives/unpacked';
import { type RawTarEntry, tarGzOf } from '../../../test/archives/tar-bytes';
import { BackupConfig } from '../../config/app-config';
import { readArchive } from '../../wire/archive/read-archive';
import { ArchiveExport } from '../export/archive-export';
import { SnapshotSeal } from '../snapshot/snapshot-seal';
import { type ArchiveOpening, ArchiveSources } from './archive-source';
import { EmptyPlace } from './empty-place';
import type { RestoreOptions, RestoreOutcome } from './restore-plan';

const change = { actor: 'ada' };
const FIRST = 'the first weights of iris, of which there are many';
const SECOND = 'the second weights of iris';

describe(ArchiveSources, () => {
  let house: BackupHouse;
  let scratch: string;
  /** What `backup export` wrote of a registry with iris 1 in production and iris 2. */
  let file: string;

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(() => void (scratch = mkdtempSync(join(tmpdir(), 'archive-source-'))));
  afterEach(async () => {
    await house.remove();
    rmSync(scratch, { recursive: true, force: true });
  });

  const sealWith = (key?: string): SnapshotSeal => {
    if (key !== undefined) writeFileSync(join(scratch, 'key'), key, { mode: 0o600 });
    return new SnapshotSeal(Object.assign(new BackupConfig(), { keyFile: key === undefined ? '' : join(scratch, 'key') }));
  };

  async function exported(settings: BackupSettings = {}): Promise<string> {
    house = await BackupHouse.fresh(settings);
    await house.publish('iris', FIRST);
    await house.publish('iris', SECOND);
    await house.registry.stages.move('iris', 1, 'production', change);
    const { id } = await house.take();
    const { manifests, repository, objects } = house;
    const { content } = await new ArchiveExport(repository, manifests, objects, sealWith(settings.key)).open(id);
    file = join(scratch, 'export.tar.gz');
    writeFileSync(file, await buffer(content));
    return id;
  }

  /** The files in the export, to be packed anew by whoever means harm. */
  async function files(): Promise<Map<string, Buffer>> {
    const found = new Map<string, Buffer>();
    await readArchive(file, LIMITS, async ({ path, content }) => void found.set(path, await buffer(content)));
    return found;
  }

  async function repacked(entries: ReadonlyMap<string, Buffer>, more: readonly RawTarEntry[] = []): Promise<string> {
    const path = join(scratch, 'other.tar.gz');
    writeFileSync(path, tarGzOf([...[...entries].map(([name, content]) => ({ name, content })), ...more]));
    return path;
  }

  const place = (): string => join(scratch, 'place', 'models');

  async function intoEmpty(
    path: string,
    options: RestoreOptions = {},
    opening: ArchiveOpening = {},
    key?: string,
  ): Promise<RestoreOutcome> {
    const source = await new ArchiveSources(place(), sealWith(key)).open(path, opening);
    try {
      return await new EmptyPlace(place()).restore(source, 'ada', options);
    } finally {
      await source.close();
    }
  }

  /** What lies anywhere in the folder of the test. */
  const all = (): readonly string[] => readdirSync(scratch, { recursive: true, encoding: 'utf8' }).toSorted();

  it.each([
    ['plain', {}],
    ['signed', { key: KEY }],
    ['encrypted', { key: KEY, encrypt: true }],
  ])('gives back the very registry, of a %s snapshot too', async (_kind, settings) => {
    const snapshot = await exported(settings);
    const outcome = await intoEmpty(file, {}, {}, 'key' in settings ? KEY : undefined);
    expect(outcome).toMatchObject({ snapshot, signature: 'key' in settings ? 'valid' : 'unsigned', damaged: [], lost: [] });
    const { registry } = await BackupHouse.on(join(scratch, 'place'));
    expect(registry.state.require('iris').production?.version).toBe(1);
    const [blob] = registry.state.requireVersion('iris', 2).blobs as readonly [string];
    expect(await buffer(await registry.blobs.open(blob))).toEqual(Buffer.from(SECOND));
    expect(readdirSync(place()).toSorted()).toEqual(['blobs', 'log']);
  });

  it('needs no key for what was encrypted, and says that the signature was not checked', async () => {
    await exported({ key: KEY, encrypt: true });
    expect(await intoEmpty(file)).toMatchObject({ signature: 'unchecked' });
  });

  it('restores into a registry that lives', async () => {
    await exported();
    const { state, stages, deletion } = house.registry;
    const then = state.requireVersion('iris', 1).digest;
    await stages.move('iris', 2, 'production', change);
    await deletion.deleteVersion('iris', 1, change);
    await house.registry.collector.collect('ada', { minAgeMs: -1, undeleteMs: -1 });
    const source = await new ArchiveSources(house.models, sealWith()).open(file);
    const outcome = await house.restorer.restore(source, 'ada', {});
    await source.close();
    expect(outcome).toMatchObject({ copy: { blobs: 1, bytes: FIRST.length }, safety: expect.any(String) });
    expect(house.registry.state.require('iris').production).toMatchObject({ version: 1, digest: then });
    expect(readdirSync(join(house.models, '.staging'))).toEqual([]);
  });

  it('reads what somebody unpacked and packed again, and follows a link that leads to it', async () => {
    await exported();
    const entries = [...(await files())].map(([name, content]) => [`./${name}`, content] as const);
    await symlink(await repacked(new Map(entries.toReversed())), join(scratch, 'link'));
    expect(await intoEmpty(join(scratch, 'link'))).toMatchObject({ lost: [] });
  });

  it('reads versions whose files only a registry tells apart: names in capitals, deep folders, archives', async () => {
    await exported();
    const found = await files();
    const deep = `models/iris/1/${'a/'.repeat(31)}b`;
    const sums = found.get('SHA256SUMS')?.toString() as string;
    const moved = new Map([...found].map(([path, content]) => [path === 'models/iris/1/model.onnx' ? deep : path, content]));
    moved.set('SHA256SUMS', Buffer.from(sums.replace('models/iris/1/model.onnx', deep)));
    for (const name of ['models/iris/1/Twin', 'models/iris/1/twin']) moved.set(name, Buffer.from(name));
    moved.set('models/iris/1/inner.tar.gz', tarGzOf([{ name: 'x' }]));
    expect(await intoEmpty(await repacked(moved))).toMatchObject({ lost: [] });
  });

  it('tells how far it is, and leaves nothing where only a plan was wanted', async () => {
    await exported();
    const told: unknown[] = [];
    const before = all();
    const source = await new ArchiveSources(place(), sealWith()).open(file, { progress: (progress) => told.push(progress) });
    expect((await new EmptyPlace(place()).plan(source)).copy).toEqual({ blobs: 2, bytes: FIRST.length + SECOND.length });
    await source.close();
    expect(all()).toEqual(before);
    expect(told.at(-1)).toMatchObject({ phase: 'unpacking', doneObjects: 3, allObjects: 3 });
  });

  it('ends when somebody interrupts it, and leaves nothing', async () => {
    await exported();
    const before = all();
    const stop = new AbortController();
    const opening = { signal: stop.signal, progress: () => stop.abort() };
    await expect(new ArchiveSources(place(), sealWith()).open(file, opening)).rejects.toMatchObject({ name: 'AbortError' });
    expect(all()).toEqual(before);
  });

  describe('where there is a key', () => {
    it('refuses one that is not signed, unless it is allowed', async () => {
      await exported();
      await expect(intoEmpty(file, {}, {}, KEY)).rejects.toMatchObject({ code: 'SNAPSHOT_UNSIGNED' });
      expect(await intoEmpty(file, {}, { allowUnsigned: true }, KEY)).toMatchObject({ signature: 'unsigned' });
    });

    it('refuses one that was signed with another, or changed since', async () => {
      await exported({ key: KEY });
      await expect(intoEmpty(file, {}, {}, OTHER_KEY)).rejects.toMatchObject({ code: 'BACKUP_KEY_WRONG' });
      const found = await files();
      const manifest = found.get('snapshot.json')?.toString() as string;
      found.set('snapshot.json', Buffer.from(manifest.replace('"trigger":"manual"', '"trigger":"safety"')));
      await expect(intoEmpty(await repacked(found), {}, {}, KEY)).rejects.toMatchObject({ code: 'SNAPSHOT_FORGED' });
    });
  });

  describe('of a file that is not what it was', () => {
    /** Nothing but the file itself, and the key, is there afterwards. */
    async function expectRefused(path: string, error: object, key?: string): Promise<void> {
      sealWith(key);
      const before = all();
      await expect(intoEmpty(path, {}, {}, key)).rejects.toMatchObject(error);
      expect(all()).toEqual(before);
    }

    it.each([0.05, 0.5, 0.95])('refuses one that was cut off (%d of it is there)', async (part) => {
      await exported();
      const bytes = await readFile(file);
      writeFileSync(file, bytes.subarray(0, Math.floor(bytes.length * part)));
      await expectRefused(file, { code: 'ARCHIVE_REFUSED' });
    });

    it('refuses one with a flipped bit, wherever it is', async () => {
      await exported();
      const bytes = await readFile(file);
      let refused = 0;
      for (let at = 12; at < bytes.length; at += Math.ceil(bytes.length / 40)) {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] as number) ^ 4;
        writeFileSync(file, flipped);
        if (isSame(flipped, bytes)) continue; // there are several ways to pack the same bytes
        await expectRefused(file, { code: expect.stringMatching(/ARCHIVE_REFUSED|ARCHIVE_TOO_LARGE/) });
        refused++;
      }
      expect(refused).toBeGreaterThan(20);
    });

    it.each([
      [
        'a byte of a version',
        (found: Map<string, Buffer>) => void found.set('models/iris/2/model.onnx', Buffer.from(SECOND.toUpperCase())),
      ],
      ['a version', (found: Map<string, Buffer>) => void found.delete('models/iris/2/model.onnx')],
      [
        'a version in the sums',
        (found: Map<string, Buffer>) => {
          const sums = found.get('SHA256SUMS')?.toString() as string;
          found.set('SHA256SUMS', Buffer.from(sums.replace(/^.*models\/iris\/2\/model\.onnx\n/m, '')));
        },
      ],
    ])('names what lacks %s, and restores what is whole where that is wanted', async (_what, harm) => {
      await exported();
      const found = await files();
      harm(found);
      const path = await repacked(found);
      const lost = [{ model: 'iris', version: 2 }];
      await expect(intoEmpty(path)).rejects.toMatchObject({ code: 'RESTORE_DAMAGED', lost });
      expect(await exists(place())).toBe(false);
      expect(await intoEmpty(path, { partial: true })).toMatchObject({ lost });
      const { registry } = await BackupHouse.on(join(scratch, 'place'));
      expect([...registry.state.require('iris').versions.keys()]).toEqual([1]);
    });

    it('refuses one whose log has another byte', async () => {
      await exported();
      const found = await files();
      const [path] = [...found.keys()].filter((name) => name.startsWith('log/')) as [string];
      const log = found.get(path) as Buffer;
      found.set(path, Buffer.from(log.toString().replace('production', 'productioN')));
      await expectRefused(await repacked(found), { code: 'SNAPSHOT_DAMAGED' });
      found.delete(path);
      await expectRefused(await repacked(found), { code: 'SNAPSHOT_DAMAGED' });
    });

    it.each<readonly [string, readonly RawTarEntry[]]>([
      ['a name that leads upwards', [{ name: '../../x', content: 'evil' }]],
      ['an absolute name', [{ name: '/tmp/x', content: 'evil' }]],
      ['a symbolic link', [{ name: 'models/link', type: '2', linkname: '/etc/passwd' }]],
      ['a hard link', [{ name: 'models/link', type: '1', linkname: 'snapshot.json' }]],
      ['a device', [{ name: 'models/device', type: '3' }]],
      ['a pipe', [{ name: 'models/pipe', type: '6' }]],
      ['a second manifest', [{ name: 'snapshot.json', content: '{}' }]],
      ['a second manifest by another spelling', [{ name: './snapshot.json', content: '{}' }]],
      ['a version twice', [{ name: 'models/iris/1/model.onnx', content: 'evil' }]],
    ])('refuses one with %s', async (_what, more) => {
      await exported();
      await expectRefused(await repacked(await files(), more), { code: 'ARCHIVE_REFUSED' });
    });

    it('refuses one that has more than its manifest tells of', async () => {
      await exported();
      const found = await files();
      found.set('models/iris/1/model.onnx', Buffer.alloc(2 ** 20));
      await expectRefused(await repacked(found), { code: 'ARCHIVE_REFUSED', details: { field: 'models/iris/1/model.onnx' } });
    });

    it.each(['snapshot.json', 'SHA256SUMS'])('refuses one without its %s', async (name) => {
      await exported();
      const found = await files();
      found.delete(name);
      await expectRefused(await repacked(found), { code: 'ARCHIVE_REFUSED', message: expect.stringContaining('it is none') });
    });

    it.each([
      ['no JSON', () => Buffer.from('{')],
      ['too large', () => Buffer.alloc(65 * 2 ** 20, 0x20)],
    ])('refuses a manifest that is %s', async (_what, make) => {
      await exported();
      const found = await files();
      found.set('snapshot.json', make());
      await expectRefused(await repacked(found), { code: expect.stringMatching(/ARCHIVE_REFUSED|SNAPSHOT_DAMAGED/) });
    });

    it('refuses a manifest of a newer version, and says what to do', async () => {
      await exported();
      const found = await files();
      const manifest = found.get('snapshot.json')?.toString() as string;
      found.set('snapshot.json', Buffer.from(manifest.replace('"format":1', '"format":2')));
      await expectRefused(await repacked(found), { code: 'SNAPSHOT_NEWER', message: expect.stringContaining('Upgrade') });
    });

    it.each([
      ['sums that are none', Buffer.from('these are no sums\n')],
      ['sums that lead elsewhere', Buffer.from(`${'0'.repeat(64)}  ../../x\n`)],
    ])('refuses %s', async (_what, sums) => {
      await exported();
      const found = await files();
      found.set('SHA256SUMS', sums);
      await expectRefused(await repacked(found), { code: expect.stringMatching(/ARCHIVE_REFUSED|SNAPSHOT_DAMAGED/) });
    });

    it('refuses what is no archive, or none of a snapshot, and knows of no file that is not there', async () => {
      await exported();
      for (const bytes of [Buffer.alloc(0), Buffer.from('a text'), gzipSync('a text'), tarGzOf([{ name: 'model.onnx', content: 'x' }])]) {
        writeFileSync(file, bytes);
        await expectRefused(file, { code: 'ARCHIVE_REFUSED' });
      }
      await rm(file);
      await expectRefused(file, { code: 'ENOENT' });
    });
  });
});

/** Whether both unpack to the same. */
function isSame(some: Buffer, others: Buffer): boolean {
  try {
    return gunzipSync(some).equals(gunzipSync(others));
  } catch {
    return false;
  }
}
