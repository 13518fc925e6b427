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
  return (await sizedRegular(path))?.file;
}

/** Reads a file whole that nobody writes to any more. @returns as openRegular */
export async function readRegular(path: string): Promise<Buffer | undefined> {
  const found = await sizedRegular(path);
  if (found === undefined) return undefined;
  const { file, size } = found;
  try {
    const bytes = Buffer.allocUnsafe(size);
    const { bytesRead } = await file.read(bytes, 0, size, 0);
    return bytesRead === size ? bytes : await file.readFile(); // from the beginning: a read at a place moves nothing
  } finally {
    await file.close();
  }
}

async function sizedRegular(path: string): Promise<{ readonly file: FileHandle; readonly size: number } | undefined> {
  const file = await open(path, FLAGS).catch((error: unknown) => {
    if (hasCode(error, 'ELOOP', 'ENXIO')) return undefined; // a link; a socket
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const found = await file.stat();
    if (found.isFile()) return { file, size: found.size };
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}
