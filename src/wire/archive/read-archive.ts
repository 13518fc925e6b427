import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { ArchiveIntake, type ArchiveLimits, type TakeFile } from './archive-intake';
import { type ArchiveKind, HEAD_BYTES, kindOfHead } from './archive-kind';
import { readTarGz } from './read-tar-gz';
import { readZip } from './read-zip';
import { ArchiveRefused } from '../wire.errors';

/** @returns what the file is by its first bytes; undefined where it is no archive that is read here */
export async function archiveKindOf(path: string): Promise<ArchiveKind | undefined> {
  const file = await openFile(path);
  try {
    return await kindOf(file);
  } finally {
    await file.close();
  }
}

/**
 * Unpacks an archive: `takeFile` is called for each file in it, one after another. Nothing is written here, and nothing has to be
 * written under a name that the archive chose. A file that was handed over counts only when this has returned: the archive may turn
 * out to be refused by what comes later in it.
 * @param path a file on the local disk that nobody changes meanwhile
 * @throws ArchiveRefused, ArchiveTooLarge; the error of `takeFile`, unchanged
 */
export async function readArchive(path: string, limits: ArchiveLimits, takeFile: TakeFile): Promise<void> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    const intake = new ArchiveIntake(limits, size, takeFile);
    await read(file, size, intake).catch((error: unknown) => Promise.reject(intake.explain(error)));
  } finally {
    await file.close();
  }
}

async function read(file: FileHandle, size: number, intake: ArchiveIntake): Promise<void> {
  const kind = await kindOf(file);
  if (!kind) throw new ArchiveRefused('archive', 'a zip or a tar.gz', 'neither');
  await (kind === 'zip' ? readZip(file, size, intake) : readTarGz(file, size, intake));
  intake.end();
}

async function kindOf(file: FileHandle): Promise<ArchiveKind | undefined> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
  return kindOfHead(buffer.subarray(0, bytesRead));
}

/** A link is not followed: what is read is what was staged. */
function openFile(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
}
