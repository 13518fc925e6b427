import { isAbsolute, relative, resolve, sep } from 'node:path';
import { type Among, chosenSnapshot, LATEST } from '../backup/api/chosen-snapshot';
import { isSnapshotId, type SnapshotRecord } from '../backup/snapshot/snapshot-records';
import { type OpenedBackups, openBackups } from '../backup/open-backups';
import { BackupConfig } from '../config/app-config';
import { holdsRegistry } from '../storage/folder-inventory';
import { type CommandOutput, type ExitCode, NothingThere, WrongUsage } from './command';
import type { Call, CommonOptions } from './command-frame';
import { modelsDirOf, textOf, toolConfig } from './command-settings';
import { ProgressLine } from './progress-line';

/** The options of `backup …` that more than one of them has. */
export interface BackupOptions {
  readonly backupsDir?: string;
  readonly quiet?: boolean;
}

/** The snapshots of a folder and what can be done with them; no server need run. */
export class BackupPlace {
  readonly progress: ProgressLine;
  private readonly backupsDir: string;
  private readonly modelsDir: string;
  readonly opened: OpenedBackups;

  constructor({ options, output }: Call<BackupOptions>) {
    const settings = toolConfig();
    this.modelsDir = modelsDirOf(options, settings);
    const config = settings.get(BackupConfig) as BackupConfig;
    this.backupsDir = textOf(options.backupsDir) ?? config.backupsDir;
    if (isInside(this.backupsDir, this.modelsDir))
      throw new WrongUsage(`${this.backupsDir} lies in ${this.modelsDir}: what loses one would lose both`, ['backup']);
    this.opened = openBackups(Object.assign(new BackupConfig(), config, { backupsDir: this.backupsDir }), this.modelsDir);
    this.progress = new ProgressLine(output, options.quiet === true || options.json === true);
  }

  hasRegistry(): Promise<boolean> {
    return holdsRegistry(this.modelsDir);
  }

  /** @throws NothingThere where there is nothing to save */
  async requireRegistry(): Promise<void> {
    if (!(await this.hasRegistry())) throw new NothingThere(`There is no registry in ${this.modelsDir}`);
  }

  /** @throws NothingThere where no snapshot was ever taken */
  async requireBackups(): Promise<void> {
    if (!(await holdsRegistry(this.backupsDir))) await this.snapshots();
  }

  /** Every snapshot, the newest first. @throws NothingThere where none was ever taken */
  async snapshots(): Promise<readonly SnapshotRecord[]> {
    const snapshots = await this.opened.inventory.list();
    if (snapshots.length === 0 && !(await holdsRegistry(this.backupsDir)))
      throw new NothingThere(`There are no backups in ${this.backupsDir}`);
    return snapshots;
  }

  /** @param id or `latest` @param among which of them `latest` looks at @throws NothingThere, SnapshotNotFound, WrongUsage */
  async snapshot(id: string, among: Among = 'kept'): Promise<SnapshotRecord> {
    if (id !== LATEST && !isSnapshotId(id))
      throw new WrongUsage(`${JSON.stringify(id)} is no id of a snapshot, nor "${LATEST}"`, ['backup']);
    const snapshots = await this.snapshots();
    return chosenSnapshot({ list: () => Promise.resolve(snapshots) }, id, among);
  }

  /** Does something long, and tells how far it is. */
  async watched<T>(work: (tell: ProgressLine['tell']) => Promise<T>): Promise<T> {
    try {
      return await work(this.progress.tell);
    } finally {
      this.progress.end();
    }
  }
}

/** Also where it is the very same. */
function isInside(folder: string, other: string): boolean {
  const outward = relative(resolve(other), resolve(folder));
  return outward !== '..' && !outward.startsWith(`..${sep}`) && !isAbsolute(outward);
}

/** The last line of a command: what came of it. @returns the exit code */
export function outcome({ json }: CommonOptions, { out }: CommandOutput, code: ExitCode, reason: string, more: object = {}): ExitCode {
  out(json === true ? JSON.stringify({ code, reason, ...more }) : reason);
  return code;
}
