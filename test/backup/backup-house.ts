import { mkdtempSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RestoreOptions, RestoreOutcome, RestorePlan } from '../../src/backup/restore/restore-plan';
import { Restorer } from '../../src/backup/restore/restorer';
import { SnapshotSources } from '../../src/backup/restore/restore-source';
import { BackupRepository } from '../../src/backup/snapshot/backup-repository';
import { RegistrySource } from '../../src/backup/snapshot/registry-source';
import type { SnapshotId, SnapshotRecord } from '../../src/backup/snapshot/snapshot-records';
import { SnapshotInventory } from '../../src/backup/snapshot/snapshot-inventory';
import { SnapshotManifests } from '../../src/backup/snapshot/snapshot-manifests';
import { SnapshotObjects } from '../../src/backup/snapshot/snapshot-objects';
import { SnapshotSeal } from '../../src/backup/snapshot/snapshot-seal';
import { SnapshotTaker } from '../../src/backup/snapshot/snapshot-taker';
import type { TakeOptions } from '../../src/backup/snapshot/taking';
import { SnapshotVerifier } from '../../src/backup/verify/snapshot-verifier';
import { BackupConfig } from '../../src/config/app-config';
import type { ModelRuntime } from '../../src/runtime/model-runtime.port';
import { FileBlobStore } from '../../src/storage/file-blob.store';
import { FileEventLog } from '../../src/storage/file-event.log';
import { RegistryHouse } from '../process/registry-house';

export const KEY = 'one key of more than thirty-two bytes, kept elsewhere';
export const OTHER_KEY = 'another key of more than thirty-two bytes, quite so';

/** What differs from a house of defaults. */
export interface BackupSettings {
  readonly key?: string;
  readonly encrypt?: boolean;
  /** Default: one that takes every file for a model. */
  readonly runtime?: ModelRuntime;
}

/** Blobs that count what is written and tell before one is read. */
export class CountedBlobs extends FileBlobStore {
  stagedBytes = 0;
  beforeRead: (name: string) => Promise<void> = async () => {};

  override async stage(...args: Parameters<FileBlobStore['stage']>): ReturnType<FileBlobStore['stage']> {
    const staged = await super.stage(...args);
    this.stagedBytes += staged.bytes;
    return staged;
  }

  override async *read(name: string): AsyncIterable<Uint8Array> {
    await this.beforeRead(name);
    yield* super.read(name);
  }
}

/** A registry in a folder, and its snapshots in the one beside it. */
export class BackupHouse {
  readonly root: string;
  readonly config: BackupConfig;
  readonly registry: RegistryHouse;
  readonly registryBlobs: CountedBlobs;
  readonly blobs: CountedBlobs;
  readonly repository: BackupRepository;
  readonly manifests: SnapshotManifests;
  readonly inventory: SnapshotInventory;
  readonly objects: SnapshotObjects;
  readonly taker: SnapshotTaker;
  readonly verifier: SnapshotVerifier;
  readonly sources: SnapshotSources;
  readonly restorer: Restorer;

  private constructor(root: string, { key, encrypt = false, runtime }: BackupSettings) {
    this.root = root;
    this.config = Object.assign(new BackupConfig(), {
      backupsDir: this.backups,
      keyFile: key === undefined ? '' : this.keyFile(key),
      encrypt: encrypt ? 'on' : 'off',
    });
    this.registryBlobs = new CountedBlobs(this.models);
    this.registry = new RegistryHouse(this.registryBlobs, new FileEventLog(this.models), runtime);
    this.blobs = new CountedBlobs(this.backups);
    const seal = new SnapshotSeal(this.config);
    const { state, journal, log } = this.registry;
    this.repository = new BackupRepository(this.blobs, new FileEventLog(this.backups));
    this.manifests = new SnapshotManifests(this.repository, this.config);
    this.inventory = new SnapshotInventory(this.repository, this.manifests);
    this.objects = new SnapshotObjects(this.blobs, seal);
    this.taker = new SnapshotTaker(new RegistrySource(state, journal, log, this.registryBlobs), this.repository, this.manifests, seal);
    this.verifier = new SnapshotVerifier(this.repository, this.inventory, this.manifests, this.objects, seal);
    this.sources = new SnapshotSources(this.repository, this.manifests, this.objects, seal);
    const { versionBlobs, catalog } = this.registry;
    this.restorer = new Restorer(state, journal, this.registryBlobs, versionBlobs, this.taker, catalog);
  }

  static async fresh(settings: BackupSettings = {}): Promise<BackupHouse> {
    return BackupHouse.on(mkdtempSync(join(tmpdir(), 'analytics-api-backup-')), settings);
  }

  /** Another process on the same folders. */
  static async on(root: string, settings: BackupSettings = {}): Promise<BackupHouse> {
    const house = new BackupHouse(root, settings);
    await house.registry.journal.onModuleInit();
    return house;
  }

  get models(): string {
    return join(this.root, 'models');
  }

  get backups(): string {
    return join(this.root, 'backups');
  }

  take(more: Partial<TakeOptions> = {}): Promise<SnapshotRecord> {
    return this.taker.take({ trigger: 'manual', actor: 'ada', correlationId: 'test', ...more });
  }

  /** As the route and the command line do it. */
  async restore(id: SnapshotId, options: RestoreOptions = {}, allowUnsigned = false): Promise<RestoreOutcome> {
    const source = await this.sources.open(id, 'ada', allowUnsigned);
    try {
      return await this.restorer.restore(source, 'ada', options);
    } finally {
      await source.close();
    }
  }

  async plan(id: SnapshotId, options: RestoreOptions = {}): Promise<RestorePlan> {
    const source = await this.sources.open(id, 'ada');
    try {
      return await this.restorer.plan(source, options);
    } finally {
      await source.close();
    }
  }

  async publish(model: string, content: string): Promise<number> {
    const { record } = await this.registry.publish(model, content);
    return record.version;
  }

  async remove(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }

  /** Where a blob of `backups/` lies. */
  pathOf(stored: string): string {
    return join(this.backups, 'blobs', 'sha256', stored.slice(0, 2), stored);
  }

  private keyFile(key: string): string {
    const path = join(this.root, 'key');
    writeFileSync(path, key, { mode: 0o600 });
    return path;
  }
}

/** Flips one bit of a file. */
export async function flipBit(path: string, at: number, bit: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] as number) ^ (1 << bit);
  await rewrite(path, bytes);
}

/** Puts other bytes where a file is, as somebody does who may write there. */
export async function rewrite(path: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  await rm(path, { force: true });
  writeFileSync(path, bytes, { mode: 0o444 });
}

/** Whether there is something. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
