import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DurableFiles, discardFile } from './durable-files';

const NAME = /^[a-z]+\/[0-9a-f-]{1,160}\.json$/;

/** What can be made again at any time: `derived/<kind>/<name>.json`. Never flushed; what cannot be read or kept is as good as none. */
export class DerivedFiles {
  private readonly files: DurableFiles;
  private readonly folder: string;

  constructor(root: string) {
    this.files = new DurableFiles(root);
    this.folder = join(resolve(root), 'derived');
  }

  /** @returns undefined where there is none, or nothing that is JSON */
  async read(name: string): Promise<unknown> {
    const path = this.pathOf(name);
    try {
      return JSON.parse(await readFile(path, 'utf8'));
    } catch {
      return undefined;
    }
  }

  /** @returns whether it was kept: a full disk is no reason to fail */
  async write(name: string, value: unknown): Promise<boolean> {
    const path = this.pathOf(name);
    const staged = await this.files.freshPath().catch(() => undefined);
    if (staged === undefined) return false;
    try {
      await writeFile(staged, JSON.stringify(value), { flag: 'wx' });
      await mkdir(dirname(path), { recursive: true });
      await rename(staged, path);
      return true;
    } catch {
      await discardFile(staged).catch(() => {});
      return false;
    }
  }

  private pathOf(name: string): string {
    if (!NAME.test(name)) throw new Error(`${name} is no name of a derived file`);
    return join(this.folder, name);
  }
}
