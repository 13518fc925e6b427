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
  let folder: string | undefined;
  try {
    folder = await mkdtemp(`${await files.freshPath()}-test-`);
    await writeFile(join(folder, 'a'), 'a');
    return await tryAll(files, folder);
  } catch (error) {
    // nothing at all can be written: the volume is full, or read-only
    const found = reasonOf(error);
    const findings = { hardLinks: found, exclusiveCreation: found, folderFlush: found, readAfterWrite: found, atomicReplace: found };
    return { ...findings, caseSensitive: true, safe: false };
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true }).catch(() => {}); // a sweep takes what stays
  }
}

async function tryAll(files: DurableFiles, folder: string): Promise<SelfTest> {
  const findings = {
    hardLinks: await finding(() => linksTwice(folder)),
    exclusiveCreation: await finding(() => refusesTaken(folder)),
    folderFlush: await finding(() => files.flushFolder(folder)),
    readAfterWrite: await finding(() => readsBack(folder)),
    atomicReplace: await finding(() => replaces(folder)),
  };
  const caseSensitive = await stat(join(folder, 'A')).then(() => false, () => true); // prettier-ignore
  return { ...findings, caseSensitive, safe: Object.values(findings).every((found) => found === 'ok') };
}

async function finding(attempt: () => Promise<unknown>): Promise<string> {
  try {
    await attempt();
    return 'ok';
  } catch (error) {
    return reasonOf(error);
  }
}

function reasonOf(error: unknown): string {
  return (error as Error).message.slice(0, 200);
}

async function linksTwice(folder: string): Promise<void> {
  await link(join(folder, 'a'), join(folder, 'linked'));
  const { nlink } = await stat(join(folder, 'linked'));
  if (nlink !== 2) throw new Error(`a linked file has ${nlink} names`);
}

async function refusesTaken(folder: string): Promise<void> {
  const taken = join(folder, 'taken');
  await writeFile(taken, 'taken');
  for (const attempt of [() => link(join(folder, 'a'), taken), async () => (await open(taken, 'wx')).close()]) {
    const given = await attempt().then(() => true, (error: unknown) => !hasCode(error, 'EEXIST') && Promise.reject(error)); // prettier-ignore
    if (given) throw new Error('a taken name was given again');
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
