import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { hasCode } from '../errors/has-code';

// a pipe that nobody writes to would be waited for, for ever; a link would show bytes that are not ours
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

/**
 * Opens what people may have put under a name of ours, and never waits for it.
 * @returns undefined where the name is a folder's, a link's, a pipe's, or any other's but a file's @throws the error of the disk
 */
export async function openRegular(path: string): Promise<FileHandle | undefined> {
  const file = await open(path, FLAGS).catch((error: unknown) => {
    if (hasCode(error, 'ELOOP', 'ENXIO')) return undefined; // a link; a socket
    throw error;
  });
  try {
    if (file === undefined || (await file.stat()).isFile()) return file;
  } catch (error) {
    await file?.close();
    throw error;
  }
  await file.close();
  return undefined;
}

/** Reads a file whole. @returns as openRegular */
export async function readRegular(path: string): Promise<Buffer | undefined> {
  const file = await openRegular(path);
  try {
    return await file?.readFile();
  } finally {
    await file?.close();
  }
}
