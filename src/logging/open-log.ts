import type { DestinationStream } from 'pino';
import type { LogConfig } from '../config/app-config';
import { BadConfiguration } from '../config/config.errors';
import { hasCode } from '../errors/has-code';
import { LogFiles } from './log-files';
import { LogOutlet, type LogPlace } from './log-outlet';
import { LogPieces } from './log-pieces';

const MIB = 2 ** 20;
const FILE = { fd: 1 };
const STANDARD_OUTPUT: LogPlace = { name: 'stdout', current: FILE, next: () => Promise.resolve(FILE) };

/**
 * Standard output and, where there is a folder for it, files: each gets the same pieces, and none waits for the other. All of it is written
 * when the process exits.
 * @throws BadConfiguration where the folder cannot be written. A full disk is no such fault: its end is waited for
 */
export async function openLog(config: LogConfig): Promise<DestinationStream> {
  const outlets = [new LogOutlet(STANDARD_OUTPUT), ...(config.dir === '' ? [] : [new LogOutlet(await openFiles(config))])];
  const pieces = new LogPieces({ write: (piece: string) => outlets.forEach((outlet) => outlet.write(piece)) });
  process.once('exit', () => {
    pieces.flush();
    const lost = outlets.reduce((sum, outlet) => sum + outlet.end(), 0);
    if (lost > 0) process.stderr.write(`${lost} lines of the log could not be written\n`);
  });
  return pieces;
}

async function openFiles({ dir, fileMaxMb, fileCount }: LogConfig): Promise<LogFiles> {
  const files = new LogFiles(dir, { maxBytes: fileMaxMb * MIB, count: fileCount });
  try {
    await files.next(0);
  } catch (error) {
    if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw new BadConfiguration([`LOG_DIR=${dir}: ${(error as Error).message}`]);
  }
  return files;
}
