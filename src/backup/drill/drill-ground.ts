import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import type { BackupConfig, RuntimeConfig, StorageConfig } from '../../config/app-config';
import { type OpenedEngines, openEngines } from '../../runtime/open-engines';
import { DurableFiles } from '../../storage/durable-files';
import { FreeSpace, minFreeOf } from '../../storage/free-space';
import { sweepStaging } from '../../storage/staging-sweep';
import type { SnapshotSources } from '../restore/restore-source';
import type { SnapshotId } from '../snapshot/snapshot-records';
import type { SnapshotVerifier } from '../verify/snapshot-verifier';
import type { VerifyFinding } from '../verify/verify-report';
import { drillFailureOf } from './drill-failure';
import type { DrillFailure, DrillOutcome } from './drill-report';
import { Drilling, type DrillOptions, type Footing } from './drilling';

const DAY_MS = 86_400_000;

/** The settings that a drill needs. */
export interface DrillSettings {
  readonly backup: BackupConfig;
  readonly storage: StorageConfig;
  readonly runtime: RuntimeConfig;
}

/** Where drills take place: scratch folders beside the snapshots, and engines of their own. */
export class DrillGround implements Footing {
  private readonly logger = new Logger(DrillGround.name);
  private readonly files: DurableFiles;
  /** What a drill leaves free. */
  readonly space: FreeSpace;
  readonly runtimeConfig: RuntimeConfig;

  /** @param open gives new engines each time */
  constructor(
    readonly sources: SnapshotSources,
    private readonly verifier: SnapshotVerifier,
    { backup, storage, runtime }: DrillSettings,
    readonly open: () => OpenedEngines = () => openEngines(runtime),
  ) {
    this.files = new DurableFiles(backup.backupsDir);
    this.space = new FreeSpace(this.files.root, minFreeOf(storage));
    this.runtimeConfig = runtime;
  }

  /** That of the snapshots. */
  get folder(): string {
    return this.files.root;
  }

  /** Restores a snapshot, brings all that is in production there to its answers, and takes everything away again. Never rejects. */
  async drill(id: SnapshotId, options: DrillOptions): Promise<DrillOutcome> {
    const startedAt = performance.now();
    try {
      await sweepStaging(this.folder, DAY_MS); // what a drill left that was killed takes much of the space
      return await new Drilling(this, id, await this.files.freshPath(), options).run();
    } catch (error) {
      const failure = drillFailureOf(error, 'restoring', this.folder);
      const none = { objects: 0, bytes: 0, models: 0, goldenRows: 0, restoreMs: 0, verifyMs: 0, loadMs: 0, replayMs: 0 };
      return { id, ok: false, failure, ...none, ms: Math.round(performance.now() - startedAt) };
    }
  }

  /** A restore says too what is damaged, but not in words for programs. */
  async named(id: SnapshotId, failure: DrillFailure, allowUnsigned: boolean): Promise<DrillFailure> {
    if (failure.reason !== 'damaged') return failure;
    try {
      const { findings } = await this.verifier.verify(id, { level: 'data', allowUnsigned });
      const [first] = findings;
      if (first === undefined) return failure;
      const reason = (await this.isLink(first)) ? 'link' : first.problem;
      const objects = [...new Set(findings.map(({ path }) => path))];
      const more = findings.length > 1 ? `; and ${findings.length - 1} more` : '';
      return {
        ...failure,
        reason,
        objects,
        detail: `${first.object}: ${reason === 'link' ? 'it is a link, which is not followed' : first.detail}${more}`,
      };
    } catch (error) {
      this.logger.warn('damage not named', { snapshot: id, err: error });
      return failure;
    }
  }

  private async isLink({ path, problem }: VerifyFinding): Promise<boolean> {
    if (problem !== 'missing') return false;
    const found = await lstat(join(this.folder, path)).catch(() => undefined);
    return found?.isSymbolicLink() === true;
  }
}
