import { chown, mkdir, open, readFile, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../errors/has-code';
import { discardFile, DurableFiles } from '../storage/durable-files';
import { KeyFileBusy } from './auth.errors';
import { formatKeys, type KeyRecord, parseKeys } from './key-records';

const OWNER_ONLY = 0o600;
const PATIENCE_MS = 2000;
const LOCK_DIES_MS = 30_000;
const TICK_MS = 20;

/** The file of the keys, for whoever changes it. A reader meets the old content or the new, whole; a power cut leaves one of them. */
export class KeyFile {
  private readonly files: DurableFiles;
  private readonly lock: string;

  constructor(private readonly path: string) {
    this.files = new DurableFiles(dirname(path));
    this.lock = `${path}.lock`;
  }

  /** @returns nothing where there is no file yet @throws KeyFileDamaged */
  async read(): Promise<readonly KeyRecord[]> {
    try {
      return parseKeys(await readFile(this.path));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return [];
      throw error;
    }
  }

  /**
   * Replaces the keys by what `decide` makes of them; other processes that do the same wait.
   * @param decide may throw: nothing is changed then
   * @throws KeyFileBusy, KeyFileDamaged, NoSpace
   */
  async change(decide: (keys: readonly KeyRecord[]) => Promise<readonly KeyRecord[]>): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true });
    await this.takeLock();
    try {
      const bytes = formatKeys(await decide(await this.read()));
      parseKeys(bytes); // what no server could read is not written
      await this.files.guard(() => this.write(bytes));
    } finally {
      await discardFile(this.lock);
    }
  }

  private async write(bytes: Buffer): Promise<void> {
    const staged = await this.files.freshPath();
    try {
      const file = await open(staged, 'wx', OWNER_ONLY);
      try {
        await file.writeFile(bytes);
        await this.files.flush(file);
      } finally {
        await file.close();
      }
      await this.giveToServer(staged);
      if (!(await this.files.claim(staged, this.path))) await this.files.replace(staged, this.path);
      else await this.files.flushFolder(dirname(this.path));
    } finally {
      await discardFile(staged);
    }
  }

  /** An administrator may be root where the server is not, and the server must read the file. */
  private async giveToServer(staged: string): Promise<void> {
    if (process.getuid?.() !== 0) return;
    const { uid, gid } = await stat(dirname(this.path));
    await chown(staged, uid, gid);
  }

  private async takeLock(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        await (await open(this.lock, 'wx', OWNER_ONLY)).close();
        return;
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error;
      }
      await this.breakDeadLock();
      if (performance.now() > deadline) throw new KeyFileBusy(this.lock);
      await sleep(TICK_MS);
    }
  }

  /** A change takes milliseconds: a lock that is so old was left by a process that is gone. */
  private async breakDeadLock(): Promise<void> {
    const found = await stat(this.lock).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > LOCK_DIES_MS) await unlink(this.lock).catch(() => {});
  }
}
