import { Injectable } from '@nestjs/common';
import { hasCode } from '../../errors/has-code';
import { CorrelationContext } from '../../logging/correlation-context';
import type { BackupBlobs } from '../../storage/blob-store.port';
import type { EventFields } from '../../storage/event-log.port';
import type { BackupHistory } from '../snapshot/backup-history';
import type { BackupKey } from '../snapshot/backup-key';
import { BackupRepository, type Scan } from '../snapshot/backup-repository';
import { LogReplay } from '../snapshot/log-replay';
import { blobPath } from '../snapshot/read-manifest';
import { SnapshotInventory } from '../snapshot/snapshot-inventory';
import type { SnapshotManifest, SnapshotObject } from '../snapshot/snapshot-manifest';
import { SnapshotManifests } from '../snapshot/snapshot-manifests';
import { SnapshotObjects } from '../snapshot/snapshot-objects';
import type { Progress, SnapshotId, SnapshotRecord, VerifyLevel } from '../snapshot/snapshot-records';
import { checkSignature, type Signature, SnapshotSeal } from '../snapshot/snapshot-seal';
import { readObject } from './object-check';
import { inSubset, type Subset } from './subset';
import type { Problem, VerifyFinding, VerifyReport } from './verify-report';

/** So many findings are kept in the log of `backups/`; the report has all. */
const MAX_LOGGED = 100;

/** How a snapshot is verified. */
export interface VerifyOptions {
  readonly level: VerifyLevel;
  /** Of the level `data`: only a part of the objects is read. */
  readonly subset?: Subset;
  /** Takes an unsigned snapshot for what it says it is, though there is a key. */
  readonly allowUnsigned?: boolean;
  readonly actor?: string;
  readonly progress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/** Finds out whether a snapshot is what it was when it was taken. */
@Injectable()
export class SnapshotVerifier {
  constructor(
    private readonly repository: BackupRepository,
    private readonly inventory: SnapshotInventory,
    private readonly manifests: SnapshotManifests,
    private readonly objects: SnapshotObjects,
    private readonly seal: SnapshotSeal,
  ) {}

  /**
   * Looks at everything that a snapshot needs, and writes down what came of it.
   * @throws SnapshotNotFound; SnapshotUnsigned, BackupKeyWrong, BackupKeyRefused: nothing was looked at then; SnapshotNewer; LogDamaged
   */
  async verify(id: SnapshotId, options: VerifyOptions): Promise<VerifyReport> {
    const record = await this.inventory.find(id);
    const history = await this.repository.history();
    const key = await this.seal.key();
    const look = new Look(this.repository.blobs, this.manifests, this.objects, record, options);
    const manifest = await look.atManifest(history);
    const signature = manifest && look.atSignature(manifest, key, history);
    if (manifest !== undefined) {
      const decrypting = manifest.encryption && options.level === 'data' ? await this.seal.keyNamed(manifest.encryption.keyId) : undefined;
      await look.atObjects(manifest, await this.repository.scan(), decrypting);
    }
    const report = look.report(signature);
    const unrecorded = await this.record(report, manifest, options);
    return { ...report, ...(unrecorded !== undefined && { unrecorded }) };
  }

  /** @returns why it could not be written down: who verifies a copy that cannot be written to still wants to know */
  private async record(
    report: VerifyReport,
    manifest: SnapshotManifest | undefined,
    { actor = 'system' }: VerifyOptions,
  ): Promise<string | undefined> {
    const correlationId = CorrelationContext.current?.correlationId ?? 'none';
    try {
      await this.repository.commit(({ snapshots }) =>
        snapshots.has(report.id) ? { ...eventOf(report, manifest), actor, correlationId } : undefined,
      );
      return undefined;
    } catch (error) {
      if (hasCode(error, 'EROFS', 'EACCES', 'EPERM', 'NO_SPACE')) return (error as Error).message;
      throw error;
    }
  }
}

function eventOf(
  { id, ok, level, subset, objectsRead, bytesRead, findings }: VerifyReport,
  manifest: SnapshotManifest | undefined,
): Omit<EventFields, 'actor' | 'correlationId'> & { readonly kind: string } {
  if (ok) return { kind: 'snapshot.verified', id, level, ...(subset && { subset }), objectsRead, bytesRead };
  const bad = new Set(findings.map(({ object }) => object));
  const blobs = new Set((manifest?.objects ?? []).filter(({ path }) => bad.has(path)).map(({ stored }) => stored));
  const told = findings.slice(0, MAX_LOGGED).map(({ object, problem }) => `${object}: ${problem}`);
  return { kind: 'snapshot.damaged', id, findings: told, blobs: [...blobs] };
}

/** One verification. */
class Look {
  private readonly findings: VerifyFinding[] = [];
  private objectsRead = 0;
  private bytesRead = 0;

  constructor(
    private readonly blobs: BackupBlobs,
    private readonly manifests: SnapshotManifests,
    private readonly objects: SnapshotObjects,
    private readonly snapshot: SnapshotRecord,
    private readonly options: VerifyOptions,
  ) {}

  /** @returns undefined where there is none that can be read */
  async atManifest(history: BackupHistory): Promise<SnapshotManifest | undefined> {
    const { id, manifest: digest } = this.snapshot;
    const path = blobPath(history.snapshots.has(id) ? history.manifestBlob(id) : digest);
    if (!history.snapshots.has(id)) this.find('log', 'log', 'missing', 'no event of the log says that this snapshot was finished');
    else {
      const fault = await this.manifests.fault(id, history);
      if (fault !== undefined)
        this.find('manifest', path, fault, fault === 'missing' ? 'it is not there' : 'its bytes are not those that were stored');
    }
    try {
      return await this.manifests.of(id);
    } catch (error) {
      if (!hasCode(error, 'SNAPSHOT_DAMAGED')) throw error;
      if (this.findings.length === 0) this.find('manifest', path, 'malformed', (error as Error).message);
      return undefined;
    }
  }

  atSignature(manifest: SnapshotManifest, key: BackupKey | undefined, { snapshots }: BackupHistory): Signature | undefined {
    const path = blobPath(this.snapshot.manifest);
    const parent = manifest.parent && snapshots.get(manifest.parent.id);
    if (parent !== undefined && parent.manifest !== manifest.parent?.manifest)
      this.find('manifest', path, 'parent', `the snapshot before it, ${parent.id}, is another one now`);
    const { seq, lineage, createdAt } = this.snapshot;
    if (seq !== manifest.seq || lineage !== manifest.lineage || createdAt !== manifest.createdAt)
      this.find('manifest', path, 'contradiction', 'the log of backups/ says something else of it');
    try {
      return checkSignature(manifest, key, this.options.allowUnsigned === true);
    } catch (error) {
      if (!hasCode(error, 'SNAPSHOT_FORGED')) throw error;
      this.find('manifest', path, 'signature', (error as Error).message);
      return undefined;
    }
  }

  async atObjects(manifest: SnapshotManifest, scan: Scan, key: BackupKey | undefined): Promise<void> {
    const there = manifest.objects.filter((object) => this.isThere(object, scan));
    if (this.options.level !== 'data') return;
    const { subset } = this.options;
    const chosen = subset === undefined ? there : there.filter(({ path }) => inSubset(path, subset));
    const read = (object: SnapshotObject) => this.objects.read(object, manifest.encryption);
    const replay = subset === undefined ? new LogReplay(manifest, read) : undefined;
    const allBytes = chosen.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    for (const object of chosen) {
      await this.read(object, key, replay);
      const { bytesRead: doneBytes, objectsRead: doneObjects } = this;
      this.options.progress?.({ phase: 'reading', doneBytes, allBytes, doneObjects, allObjects: chosen.length });
    }
    // of a log that has a gap nobody can say what it makes
    if (replay === undefined || this.findings.some(({ object }) => object.startsWith('log/'))) return;
    for (const detail of replay.contradictions()) {
      this.find('manifest', blobPath(this.snapshot.manifest), 'contradiction', detail);
    }
  }

  report(signature: Signature | undefined): VerifyReport {
    const { level, subset } = this.options;
    const { findings, objectsRead, bytesRead } = this;
    return {
      id: this.snapshot.id,
      level,
      ok: findings.length === 0,
      findings,
      objectsRead,
      bytesRead,
      ...(subset && { subset }),
      ...(signature && { signature }),
    };
  }

  private isThere({ path, stored, storedBytes }: SnapshotObject, scan: Scan): boolean {
    const bytes = scan.get(stored);
    if (bytes === undefined) this.find(path, blobPath(stored), 'missing', 'it is not there');
    else if (bytes !== storedBytes) this.find(path, blobPath(stored), 'size', `it has ${bytes} bytes, not ${storedBytes}`);
    return bytes === storedBytes;
  }

  private async read(object: SnapshotObject, key: BackupKey | undefined, replay: LogReplay | undefined): Promise<void> {
    const hear = async (chunk: Uint8Array): Promise<void> => {
      this.options.signal?.throwIfAborted();
      if (object.kind === 'events') await replay?.feed(chunk);
    };
    const { bytesRead, problem, detail = '' } = await readObject(this.blobs, object, key, hear);
    this.objectsRead++;
    this.bytesRead += bytesRead;
    if (problem !== undefined) return this.find(object.path, blobPath(object.stored), problem, detail);
    const fault = object.kind === 'events' ? replay?.endOf(object) : undefined;
    if (fault !== undefined) this.find(object.path, blobPath(object.stored), 'chain', fault);
  }

  private find(object: string, path: string, problem: Problem, detail: string): void {
    this.findings.push({ object, path, problem, detail });
  }
}
