import { randomUUID } from 'node:crypto';
import { type FileHandle, access, link, mkdir, open, rename, unlink } from 'node:fs/promises';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { hasCode } from '../errors/has-code';
import { OWNER_PREFIX } from './staging-owner';
import { NoSpace } from './storage.errors';
import type { StorageMetrics } from './storage.metrics';

/**
 * How a name in a folder tree is made to survive a power cut: written under `.staging/` of the same tree, flushed, linked to its
 * name (link refuses a taken name, where rename would replace it), and the folder flushed. Nothing is acknowledged before that.
 */
export class DurableFiles {
  /** Absolute: engine hosts work in other folders. */
  readonly root: string;
  private readonly stagingFolder: string;
  /** Folders whose own names this process knows to be on disk. Another process may have made one and lost power before it flushed it. */
  private readonly anchored = new Set<string>();

  /** @param metrics where flushes are timed, if anywhere */
  constructor(
    root: string,
    private readonly metrics?: StorageMetrics,
  ) {
    this.root = resolve(root);
    this.stagingFolder = join(this.root, '.staging');
  }

  /** A fresh path in the staging area. Its name tells whose it is, so that a sweep can take what a process left that is gone. */
  async freshPath(): Promise<string> {
    await access(this.stagingFolder).catch(() => mkdir(this.stagingFolder, { recursive: true })); // a mkdir of what is there is two calls
    return join(this.stagingFolder, OWNER_PREFIX + randomUUID());
  }

  /** Writes `bytes` to a fresh staged file and flushes it. @returns its path */
  async writeStaged(bytes: Uint8Array): Promise<string> {
    const path = await this.freshPath();
    try {
      const file = await open(path, 'wx', 0o444);
      try {
        await file.writeFile(bytes);
        await this.flush(file);
      } finally {
        await file.close();
      }
      return path;
    } catch (error) {
      await discardFile(path);
      throw error;
    }
  }

  /** Gives the file at `staged` a second name. Its bytes must be flushed. @returns false where the name is taken */
  async claim(staged: string, path: string): Promise<boolean> {
    const folder = resolve(dirname(path)); // else the way up from a relative one would never come to the root
    const wasThere = this.anchored.has(folder);
    await this.anchor(folder);
    try {
      await link(staged, path);
      return true;
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return false;
      if (!hasCode(error, 'ENOENT') || !wasThere) throw error;
      this.anchored.clear(); // somebody took the folder away behind our back: it is made once more
      return this.claim(staged, path);
    }
  }

  /** Puts the file at `staged` where `path` is, in one step, whatever was there. `staged` keeps its own name. */
  async replace(staged: string, path: string): Promise<void> {
    const second = await this.freshPath();
    await link(staged, second);
    await rename(second, path);
    await this.flushFolder(dirname(path));
  }

  /** Makes bytes, or the names in a folder, survive. Never repeated on the same descriptor: a second try may succeed with the bytes gone. */
  async flush(file: FileHandle): Promise<void> {
    if (this.metrics === undefined) await file.sync();
    else await this.metrics.timeFlush(() => file.sync());
  }

  /** Makes the names in a folder survive. */
  async flushFolder(path: string): Promise<void> {
    const folder = await open(path);
    try {
      await this.flush(folder);
    } finally {
      await folder.close();
    }
  }

  /** Runs `work`; a full disk or quota becomes NoSpace, everything else is thrown as it came. Failed system calls are counted. */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (hasErrno(error)) this.metrics?.countFailure(isQuota(error) ? 'EDQUOT' : error.code);
      throw hasCode(error, 'ENOSPC') || isQuota(error) ? new NoSpace({ cause: error }) : error;
    }
  }

  /** Makes `folder` and flushes its own name, and that of every folder above it up to the root. */
  private async anchor(folder: string): Promise<void> {
    if (this.anchored.has(folder)) return;
    await mkdir(folder, { recursive: true });
    // not `folder !== this.root`: the root may be spelled `./models` or `models/`
    if (folder !== this.root) await this.anchor(dirname(folder));
    await this.flushFolder(dirname(folder));
    this.anchored.add(folder);
  }
}

function hasErrno(error: unknown): error is { readonly code: string; readonly errno?: number } {
  return typeof error === 'object' && error !== null && 'syscall' in error && 'code' in error;
}

/** libuv has no name for a quota that is used up: Node's code for it is "Unknown system error -122". */
function isQuota(error: unknown): boolean {
  return hasCode(error, 'EDQUOT') || (hasErrno(error) && error.errno === -constants.errno.EDQUOT);
}

/** Takes a file away; one that is gone is no error. What `rm` does in three system calls, in one. */
export async function discardFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
