import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { EmptyPlace } from '../../src/backup/restore/empty-place';
import { FORMAT } from '../../src/backup/snapshot/snapshot-manifest';
import { fsck } from '../../src/models/upkeep/fsck';
import { FileBlobStore } from '../../src/storage/file-blob.store';
import { FileEventLog } from '../../src/storage/file-event.log';
import { RegistryHouse } from '../process/registry-house';
import { BackupHouse } from './backup-house';
import { FORGED, forge, LINEAGE } from './forged-snapshot';
import { seenOf } from './seen-registry';

interface Expected {
  readonly id: string;
  readonly signed: boolean;
  readonly encrypted: boolean;
  readonly models: object;
  /** Versions that may come back, by model. */
  readonly deleted: Readonly<Record<string, readonly number[]>>;
}

/** Made by test/fixtures/make-snapshot-1.mjs, and never again. */
const FIXTURE = join(__dirname, '..', 'fixtures', 'snapshot-1');
const EXPECTED = JSON.parse(readFileSync(join(FIXTURE, 'expected.json'), 'utf8')) as readonly Expected[];
const KINDS = EXPECTED.map((expected) => [expected.encrypted ? 'encrypted' : expected.signed ? 'signed' : 'plain', expected] as const);

describe('snapshots of older versions', () => {
  let root: string;

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'analytics-api-format-'));
    await cp(join(FIXTURE, 'backups'), join(root, 'backups'), { recursive: true });
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const house = async (): Promise<BackupHouse> => BackupHouse.on(root, { key: await readFile(join(FIXTURE, 'key'), 'utf8') });
  const whole = async (folder: string): Promise<void> => {
    const findings: unknown[] = [];
    for await (const finding of fsck(folder, false)) findings.push(finding);
    expect(findings).toEqual([]);
  };

  it('has one that is plain, one that is signed and one that is encrypted, of format 1', async () => {
    expect(KINDS.map(([kind]) => kind)).toEqual(['plain', 'signed', 'encrypted']);
    const { manifests } = await house();
    const formats = await Promise.all(EXPECTED.map(async ({ id }) => (await manifests.of(id)).format));
    expect(formats).toEqual([1, 1, 1]);
  });

  it.each(KINDS)('are restored into a registry that lives: %s', async (_kind, { id, models }) => {
    const living = await house();
    await living.publish('iris', 'another one');
    await living.restore(id, {}, true);
    expect(seenOf(living.registry.state)).toEqual(models);
    await whole(living.models);
  });

  it.each(KINDS)('are restored into an empty place: %s', async (_kind, { id, models, deleted }) => {
    const source = await (await house()).sources.open(id, 'ada', true);
    const place = join(root, 'elsewhere');
    await new EmptyPlace(place).restore(source, 'ada');
    await source.close();
    const { journal, state } = new RegistryHouse(new FileBlobStore(place), new FileEventLog(place));
    await journal.onModuleInit();
    expect(seenOf(state)).toEqual(models);
    const gone = [...state.list(), ...state.listDeleted()].map(({ name, deletedVersions }) => [name, [...deletedVersions.keys()]]);
    expect(Object.fromEntries(gone)).toEqual(deleted);
    await whole(place);
  });

  it('are verified whole', async () => {
    const { verifier } = await house();
    const reports = await Promise.all(EXPECTED.map(({ id }) => verifier.verify(id, { level: 'data', allowUnsigned: true })));
    expect(reports.map(({ ok, findings }) => [ok, findings])).toEqual(EXPECTED.map(() => [true, []]));
  });

  it('tell from one of a newer version what to do about it', async () => {
    await forge(join(root, 'backups'), {
      events: [{ kind: 'registry.created', lineage: LINEAGE }],
      blobs: [],
      manifest: (manifest) => ({ ...manifest, format: FORMAT + 1, vault: {} }),
    });
    await expect((await house()).sources.open(FORGED, 'ada', true)).rejects.toMatchObject({
      code: 'SNAPSHOT_NEWER',
      message: 'A newer version of the service wrote this snapshot: its manifest has format 2. Upgrade to read it',
    });
  });
});
