import { link, mkdtemp, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../errors/has-code';
import type { DurableFiles } from './durable-files';

/** What a file system must do for this registry to be safe on it; what it lacks, with its own words. */
export interface SelfTest {
  readonly hardLinks: string;
  readonly exclusiveCreation: string;
  readonly folderFlush: string;
  readonly readAfterWrite: string;
  readonly atomicReplace: string;
  /** Names differ where only their case does. All of ours are lower case: a file system that does not tell is no danger. */
  readonly caseSensitive: boolean;
  /** Whether changes may be made: everything above is `ok`. */
  readonly safe: boolean;
}

/** Tries the real operations in a folder of its own in the staging area. A failure is a finding, never an exception. */
export async function testFileSystem(files: DurableFiles): Promise<SelfTest> {
  const folder = await mkdtemp(`${await files.freshPath()}-test-`);
  try {
    await writeFile(join(folder, 'a'), 'a');
    const findings = {
      hardLinks: await finding(() => linksTwice(folder)),
      exclusiveCreation: await finding(() => refusesTaken(folder)),
      folderFlush: await finding(() => files.flushFolder(folder)),
      readAfterWrite: await finding(() => readsBack(folder)),
      atomicReplace: await finding(() => replaces(folder)),
    };
    const caseSensitive = await stat(join(folder, 'A')).then(() => false, () => true); // prettier-ignore
    return { ...findings, caseSensitive, safe: Object.values(findings).every((found) => found === 'ok') };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function finding(attempt: () => Promise<unknown>): Promise<string> {
  try {
    await attempt();
    return 'ok';
  } catch (error) {
    return (error as Error).message.slice(0, 200);
  }
}

async function linksTwice(folder: string): Promise<void> {
  await link(join(folder, 'a'), join(folder, 'linked'));
  const { nlink } = await stat(join(folder, 'linked'));
  if (nlink !== 2) throw new Error(`a linked file has ${nlink} names`);
}

async function refusesTaken(folder: string): Promise<void> {
  for (const attempt of [() => link(join(folder, 'a'), join(folder, 'linked')), () => open(join(folder, 'a'), 'wx')]) {
    const refused = await attempt().then(() => false, (error: unknown) => hasCode(error, 'EEXIST')); // prettier-ignore
    if (!refused) throw new Error('a taken name was given again');
  }
}

async function readsBack(folder: string): Promise<void> {
  for (let size = 1; size <= 2 ** 16; size *= 256) {
    const bytes = Buffer.alloc(size, size % 251);
    await writeFile(join(folder, 'back'), bytes);
    if (!bytes.equals(await readFile(join(folder, 'back')))) throw new Error('what was written was not read back');
  }
}

async function replaces(folder: string): Promise<void> {
  await writeFile(join(folder, 'new'), 'new');
  await rename(join(folder, 'new'), join(folder, 'back'));
  if ((await readFile(join(folder, 'back'), 'utf8')) !== 'new') throw new Error('a renamed file did not take the place of another');
}
