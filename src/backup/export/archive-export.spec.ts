import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import canonicalize from 'canonicalize';
import { type EventFields, LOG_START } from '../../storage/event-log.port';
import { sealEvent } from '../../storage/stored-event';
import type { BackupRepository } from '../snapshot/backup-repository';
import { formatManifest, type SnapshotManifest, type SnapshotObject } from '../snapshot/snapshot-manifest';
import type { SnapshotManifests } from '../snapshot/snapshot-manifests';
import type { SnapshotObjects } from '../snapshot/snapshot-objects';
import type { SnapshotSeal } from '../snapshot/snapshot-seal';
import type { Progress } from '../snapshot/snapshot-records';
import { ArchiveExport } from './archive-export';

const ID = '20261123T030000Z-9-0f3a';
const WHO = { actor: 'ada', correlationId: 'c' };
const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

/** Blobs and events as a snapshot holds them. */
class House {
  readonly blobs = new Map<string, Buffer>();
  private readonly lines: Buffer[] = [];
  private at = LOG_START;
  opened = 0;
  closed = 0;
  /** What is cut off on the disk. */
  lost: string | undefined;
  /** In pieces of how many bytes they are read. */
  piece = 65_536;

  blob(bytes: Buffer): string {
    this.blobs.set(sha256(bytes), bytes);
    return sha256(bytes);
  }

  event(fields: Readonly<Record<string, unknown>>): void {
    const { bytes, entry } = sealEvent(this.at, { ...WHO, ...fields } as EventFields, new Date('2026-11-22T10:00:00Z'));
    this.lines.push(bytes, Buffer.from('\n'));
    this.at = entry.position;
  }

  publish(model: string, version: number, files: Readonly<Record<string, Buffer>>, metadata: object = {}): void {
    const listed = Object.entries(files).map(([path, bytes]) => ({ path, size: bytes.length, sha256: this.blob(bytes) }));
    const manifest = { files: listed, metadata };
    const signature = { inputs: [], outputs: [] };
    const digest = sha256(canonicalize(manifest) as string);
    this.event({ kind: 'version.published', model, version, digest, manifest, engine: 'onnx', executable: digest, signature });
  }

  get manifest(): SnapshotManifest {
    const log = Buffer.concat(this.lines);
    const { seq, hash } = this.at;
    const stored = (bytes: Buffer) => ({ sha256: sha256(bytes), bytes: bytes.length, stored: sha256(bytes), storedBytes: bytes.length });
    const events = {
      kind: 'events',
      path: 'log/1.jsonl',
      first: 1,
      last: seq,
      previous: LOG_START.hash,
      head: hash,
      ...stored(log),
    } as const;
    const blobs = [...this.blobs.values()].map((bytes) => ({
      kind: 'blob' as const,
      path: `blobs/sha256/${sha256(bytes)}`,
      ...stored(bytes),
    }));
    const cut = { id: ID, createdAt: '2026-11-23T03:00:00.000Z', trigger: 'manual', lineage: 'line-1', seq, head: hash } as const;
    return { format: 1, tool: { name: 'analytics-api', version: '0.1.0' }, ...cut, objects: [...blobs, events] };
  }

  /** As a store reads: a piece is another one's when the next is asked for. */
  private async *inOneBuffer(bytes: Buffer): AsyncIterable<Uint8Array> {
    this.opened++;
    try {
      const one = Buffer.alloc(this.piece);
      for (let at = 0; at < bytes.length; at += this.piece) {
        yield one.subarray(0, bytes.copy(one, 0, at, at + this.piece));
        one.fill(0);
      }
    } finally {
      this.closed++;
    }
  }

  get export(): ArchiveExport {
    const read = ({ kind, sha256: digest }: SnapshotObject): AsyncIterable<Uint8Array> => {
      const bytes = kind === 'events' ? Buffer.concat(this.lines) : this.blobs.get(digest);
      if (bytes === undefined) throw new Error('it is lost');
      return this.inOneBuffer(bytes);
    };
    const { manifest } = this;
    return new ArchiveExport(
      {
        scan: async () => new Map(manifest.objects.map((object) => [object.stored, this.lost === object.sha256 ? 0 : object.storedBytes])),
      } as unknown as BackupRepository,
      { of: async () => manifest } as unknown as SnapshotManifests,
      { read } as unknown as SnapshotObjects,
      { key: async () => undefined } as SnapshotSeal,
    );
  }
}

const WEIGHTS = randomBytes(300_000);

function house(): House {
  const made = new House();
  made.event({ kind: 'registry.created', lineage: 'line-1' });
  made.publish('iris', 1, { 'model.onnx': Buffer.from('one'), 'data/naïve ☃.bin': WEIGHTS }, { labels: ['a', 'b'] });
  made.publish('iris', 2, { 'model.onnx': Buffer.from('two'), 'data/naïve ☃.bin': WEIGHTS });
  made.publish('iris', 3, { 'model.onnx': Buffer.from('three') });
  made.event({ kind: 'model.described', model: 'iris', description: 'Of flowers', tags: ['example'] });
  made.event({ kind: 'stage.changed', model: 'iris', version: 1, stage: 'production' });
  made.event({ kind: 'alias.set', model: 'iris', alias: 'champion', version: 2 });
  made.event({ kind: 'version.deleted', model: 'iris', version: 3, reason: 'a slip' });
  made.publish('market', 1, { 'model.onnx': Buffer.from('two') });
  return made;
}

async function packed(from: House): Promise<Buffer> {
  return buffer((await from.export.open(ID)).content);
}

describe(ArchiveExport, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'export-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  /** As somebody unpacks it who has nothing of ours. */
  async function unpacked(from: House): Promise<string> {
    const folder = mkdtempSync(join(scratch, 'unpacked-'));
    const archive = `${folder}.tar.gz`;
    writeFileSync(archive, await packed(from));
    execFileSync('tar', ['-xzf', archive, '-C', folder]);
    return folder;
  }

  it('is a tar.gz in which every tar finds the models under their names and versions', async () => {
    const folder = await unpacked(house());
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1)).sort()).toEqual(
      [
        'README.txt',
        'SHA256SUMS',
        'deleted/iris/3.manifest.json',
        'deleted/iris/3.metadata.json',
        'deleted/iris/3/model.onnx',
        'log/1.jsonl',
        'models/iris/1.manifest.json',
        'models/iris/1.metadata.json',
        'models/iris/1/data/naïve ☃.bin',
        'models/iris/1/model.onnx',
        'models/iris/2.manifest.json',
        'models/iris/2.metadata.json',
        'models/iris/2/data/naïve ☃.bin',
        'models/iris/2/model.onnx',
        'models/market/1.manifest.json',
        'models/market/1.metadata.json',
        'models/market/1/model.onnx',
        'registry.json',
        'snapshot.json',
      ].sort(),
    );
    expect(readFileSync(join(folder, 'models/iris/1/data/naïve ☃.bin')).equals(WEIGHTS)).toBe(true);
    expect(readFileSync(join(folder, 'models/iris/1/model.onnx'), 'utf8')).toBe('one');
    expect(JSON.parse(readFileSync(join(folder, 'models/iris/1.metadata.json'), 'utf8'))).toEqual({ labels: ['a', 'b'] });
  });

  it('holds whatever a restore needs, byte for byte: the manifest, and each of its objects by its sum', async () => {
    const from = house();
    const stray = from.blob(Buffer.from('what no version names'));
    const folder = await unpacked(from);
    execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder });
    expect(readFileSync(join(folder, 'snapshot.json')).equals(formatManifest(from.manifest))).toBe(true);
    const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8').trimEnd().split('\n');
    expect(sums).toHaveLength(19);
    for (const object of from.manifest.objects) expect(sums.some((line) => line.startsWith(`${object.sha256}  `))).toBe(true);
    expect(sums).toContain(`${stray}  blobs/${stray}`);
    const { digest } = JSON.parse(readFileSync(join(folder, 'registry.json'), 'utf8')).models[0].versions[0];
    expect(sums).toContain(`${digest}  models/iris/1.manifest.json`);
  });

  it('says in registry.json what stood where', async () => {
    const registry = JSON.parse(readFileSync(join(await unpacked(house()), 'registry.json'), 'utf8'));
    expect(registry).toMatchObject({ snapshot: ID, createdAt: '2026-11-23T03:00:00.000Z', lineage: 'line-1', seq: 9, deletedModels: [] });
    expect(registry.models).toMatchObject([
      {
        ...{ name: 'iris', description: 'Of flowers', tags: ['example'], production: 1, aliases: { champion: 2 }, highestVersion: 3 },
        versions: [
          { version: 1, stage: 'production', publishedBy: 'ada' },
          { version: 2, stage: 'staging' },
        ],
        deletedVersions: [{ version: 3, deleted: { by: 'ada', reason: 'a slip' } }],
      },
      { name: 'market', production: null },
    ]);
  });

  it('makes the same bytes of the same snapshot, in whatever pieces it is read', async () => {
    const from = house();
    const first = await packed(from);
    from.piece = 1000;
    expect((await packed(from)).equals(first)).toBe(true);
  });

  it('leaves out what was collected before the snapshot, and says so in the log alone', async () => {
    const from = house();
    from.blobs.delete(sha256('three'));
    const folder = await unpacked(from);
    expect(readdirSync(folder)).not.toContain('deleted');
    execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder });
  });

  it.each(['../../../outside', '/outside', 'a/../../outside', 'a\\..\\outside', 'a\nb', 'a//b', '.'])(
    'gives bytes that the log calls %j no such name',
    async (path) => {
      const from = house();
      from.publish('iris', 4, { 'good.onnx': Buffer.from('four'), [path]: Buffer.from('evil') });
      const folder = await unpacked(from);
      expect(readFileSync(join(folder, 'blobs', sha256('evil')), 'utf8')).toBe('evil');
      expect(readdirSync(join(folder, 'models/iris/4'))).toEqual(['good.onnx']);
      expect(readdirSync(scratch)).not.toContain('outside');
      execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder });
    },
  );

  it('fails, and does not end, where an object is lost', async () => {
    const from = house();
    const { content } = await from.export.open(ID);
    from.blobs.delete(sha256(WEIGHTS));
    await expect(buffer(content)).rejects.toThrow('it is lost');
  });

  it('does not begin where an object is seen to be lost', async () => {
    const from = house();
    from.lost = sha256(WEIGHTS);
    await expect(from.export.open(ID)).rejects.toThrow(
      `The object blobs/sha256/${from.lost} of a snapshot cannot be trusted: it has another size`,
    );
  });

  it('holds little of it at once, and lets go of everything when its reader goes away', async () => {
    const from = house();
    from.publish('large', 1, { 'model.onnx': randomBytes(2 ** 24) });
    const { content } = await from.export.open(ID);
    await once(content, 'readable');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(content.readableLength).toBeLessThan(2 ** 18);
    content.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(from.opened).toBeGreaterThan(1); // of the log, which is read first, and of the weights
    expect(from.closed).toBe(from.opened);
  });

  it('tells how far it is', async () => {
    const told: Progress[] = [];
    await buffer((await house().export.open(ID, (progress) => told.push(progress))).content);
    const last = told.at(-1) as Progress;
    expect(last).toMatchObject({ phase: 'export', doneBytes: last.allBytes, allObjects: 19 });
    expect(told.map(({ doneBytes }) => doneBytes)).toEqual(told.map(({ doneBytes }) => doneBytes).toSorted((a, b) => a - b));
  });
});
