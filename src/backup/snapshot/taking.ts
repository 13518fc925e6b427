import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { SERVICE } from '../../config/service';
import type { StagedBlob } from '../../storage/blob-store.port';
import { BackupHistory, type SnapshotCompleted } from './backup-history';
import type { BackupKey } from './backup-key';
import type { BackupRepository } from './backup-repository';
import { ObjectIntake } from './object-intake';
import { blobPath } from './read-manifest';
import { RegistryCopy } from './registry-copy';
import type { RegistryCut } from './registry-cut';
import type { RegistrySource } from './registry-source';
import { Refusal } from './snapshot-failure';
import { bytesOf, FORMAT, formatManifest, type SnapshotManifest, type SnapshotObject } from './snapshot-manifest';
import type { SnapshotManifests } from './snapshot-manifests';
import { snapshotId, type SnapshotRecord, type Trigger } from './snapshot-records';
import { signed, type SnapshotSeal } from './snapshot-seal';
import { TakingSteps, type Watcher } from './taking-steps';

/** How often a cut may be made anew because what it needs was taken away meanwhile: each time takes a deletion and a collection. */
const ATTEMPTS = 20;

/** What a snapshot is taken for, and how. */
export interface TakeOptions extends Watcher {
  readonly trigger: Trigger;
  readonly actor: string;
  readonly correlationId: string;
  /** Reads and writes everything, whatever is there already: what is damaged is good again then. */
  readonly rehash?: boolean;
}

/** One snapshot on its way: objects, then the manifest that names them, then the event that names the manifest, each durable before the next. */
export class Taking {
  private readonly logger = new Logger(Taking.name);
  private readonly startedAt = new Date().toISOString();
  readonly steps: TakingSteps;
  private key: BackupKey | undefined;

  constructor(
    private readonly source: RegistrySource,
    private readonly repository: BackupRepository,
    private readonly manifests: SnapshotManifests,
    private readonly seal: SnapshotSeal,
    private readonly options: TakeOptions,
  ) {
    this.steps = new TakingSteps(options);
  }

  async run(): Promise<SnapshotRecord> {
    this.steps.enter('preparing');
    this.key = await this.seal.key(); // before anything is written
    await this.manifests.tidy();
    const intake = new ObjectIntake(this.repository.blobs, await this.repository.history(), this.encryptingKey);
    if (this.options.rehash !== true) await intake.learn(this.manifests, await this.repository.scan(), this.key);
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const record = await this.attempt(intake);
      if (record !== undefined) return record;
    }
    throw new Refusal('registry-moving', `what was to be copied was taken away ${ATTEMPTS} times`);
  }

  private get encryptingKey(): BackupKey | undefined {
    return this.seal.encrypts ? this.key : undefined;
  }

  /** @returns undefined where the cut cannot be finished: a newer one must be made */
  private async attempt(intake: ObjectIntake): Promise<SnapshotRecord | undefined> {
    this.steps.enter('reading');
    const cut = await this.source.cut();
    const copy = new RegistryCopy(this.source, intake, this.steps);
    this.steps.begin([...cut.needed.values(), ...cut.wanted.values()]);
    const segments = await copy.keepEvents(cut);
    this.steps.enter('copying');
    const blobs = await copy.keepBlobs(cut);
    if (blobs === undefined) return undefined;
    const objects = [...segments, ...blobs].sort((a, b) => (a.path < b.path ? -1 : 1));
    this.steps.enter('describing');
    return this.complete(cut, objects, intake);
  }

  /** @returns undefined where objects were condemned meanwhile, and must be written again under their new names; or another snapshot has this id */
  private async complete(cut: RegistryCut, objects: readonly SnapshotObject[], intake: ObjectIntake): Promise<SnapshotRecord | undefined> {
    const history = await this.repository.history();
    const manifest = this.manifestOf(cut, objects, history);
    const bytes = formatManifest(manifest);
    const { blobs } = this.repository;
    const staged = await blobs.stage(once(bytes), bytes.length);
    try {
      const name = history.blobName(staged.digest);
      await this.steps.on(blobPath(name), 0, () => blobs.put(staged, name));
      this.steps.enter('committing');
      const fields = this.completed(manifest, staged, intake);
      const entry = await this.repository.commit((now) => {
        if (now.snapshots.has(manifest.id)) return undefined; // of the same second, and by chance of the same name
        return intake.refresh(now, [...objects, { stored: name, storedBytes: bytes.length }]) ? fields : undefined;
      });
      if (entry === undefined) return undefined;
      await this.keepCopy(manifest, staged);
      const told = new BackupHistory();
      told.apply(entry);
      return told.snapshots.get(manifest.id);
    } finally {
      await staged.discard();
    }
  }

  private manifestOf(
    { position, lineage, createdAt, models }: RegistryCut,
    objects: readonly SnapshotObject[],
    history: BackupHistory,
  ): SnapshotManifest {
    const parent = [...history.snapshots.values()].findLast((record) => record.lineage === lineage);
    const encryption = this.encryptingKey && { cipher: 'aes-256-gcm' as const, keyId: this.encryptingKey.id };
    const manifest: SnapshotManifest = {
      format: FORMAT,
      tool: SERVICE,
      id: snapshotId(createdAt, position.seq, randomBytes(2).toString('hex')),
      createdAt,
      trigger: this.options.trigger,
      lineage,
      seq: position.seq,
      head: position.hash,
      objects,
      ...(parent && { parent: { id: parent.id, manifest: parent.manifest } }),
      ...(encryption === undefined ? { models } : { encryption }),
    };
    return this.key === undefined ? manifest : signed(manifest, this.key);
  }

  private completed(manifest: SnapshotManifest, { digest, bytes }: StagedBlob, { newBytes, healed }: ObjectIntake): SnapshotCompleted {
    const { id, seq, lineage, createdAt, trigger, objects, signature, encryption } = manifest;
    const { actor, correlationId } = this.options;
    return {
      kind: 'snapshot.completed',
      actor,
      correlationId,
      id,
      registrySeq: seq,
      lineage,
      createdAt,
      startedAt: this.startedAt,
      trigger,
      manifest: digest,
      signed: signature !== undefined,
      encrypted: encryption !== undefined,
      objects: objects.length,
      bytes: bytesOf(manifest),
      newBytes: newBytes + bytes,
      ...(healed.length > 0 && { healed }),
    };
  }

  /** The snapshot is there: a copy for people that cannot be written is made by the next one. */
  private async keepCopy({ id }: SnapshotManifest, staged: StagedBlob): Promise<void> {
    try {
      await this.manifests.keepCopy(id, staged);
    } catch (error) {
      this.logger.warn('plain copy of a manifest not written', { snapshot: id, err: error });
    }
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
