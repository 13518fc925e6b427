import { type FileHandle, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Logger } from '@nestjs/common';
import { hasCode } from '../errors/has-code';
import type { LogFile, LogPlace } from './log-outlet';

const NAME = /^analytics-api-(\d{4}-\d{2}-\d{2})\.([1-9]\d{0,8})\.log$/;
const NEWLINE = 10;
const LOOK_MS = 1000;

/** When a file is full, and how many there are. */
export interface LogFileLimits {
  readonly maxBytes: number;
  /** The one that is written included. */
  readonly count: number;
}

/** The file that is written. */
interface OpenFile extends LogFile {
  readonly handle: FileHandle;
  readonly path: string;
  /** UTC, as the times of the lines: `2026-11-23`. */
  readonly day: string;
  readonly inode: number;
  /** With what others wrote to it, as far as it was looked at. */
  bytes: number;
  /** `performance.now()` */
  lookedAt: number;
}

/**
 * The log files of a folder, `analytics-api-2026-11-23.1.log` and so on: another one where the day is over or the file is full; the oldest
 * go. A server that starts goes on with the newest of the day. Servers that share a folder share its files: each piece is appended in one
 * call, and is whole lines.
 */
export class LogFiles implements LogPlace {
  readonly name: string;
  private readonly logger = new Logger(LogFiles.name);
  private file: OpenFile | undefined;

  constructor(
    folder: string,
    private readonly limits: LogFileLimits,
  ) {
    this.name = resolve(folder);
  }

  get current(): LogFile | undefined {
    return this.file;
  }

  /** As LogPlace: of the day that it is now, and with room for so many bytes. */
  async next(bytes: number): Promise<LogFile> {
    const day = new Date().toISOString().slice(0, 10);
    const old = this.file;
    if (old?.day === day && (await isThere(old)) && this.holds(old, bytes)) {
      old.bytes += bytes;
      return old;
    }
    const file = await this.openFor(day, bytes);
    this.file = file;
    await old?.handle.close();
    await this.removeOldest();
    return file;
  }

  /** Closes its file: for who ends before the process does. */
  async close(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    await file?.handle.close();
  }

  private holds(file: OpenFile, bytes: number): boolean {
    return file.bytes === 0 || file.bytes + bytes <= this.limits.maxBytes;
  }

  /** The newest file of the day, or the one after it. */
  private async openFor(day: string, bytes: number): Promise<OpenFile> {
    await mkdir(this.name, { recursive: true });
    const numbers = (await this.list()).flatMap((file) => (file.day === day ? file.number : []));
    for (let number = Math.max(1, ...numbers); ; number++) {
      const file = await openFile(join(this.name, `analytics-api-${day}.${number}.log`), day);
      if (this.holds(file, bytes)) {
        if (this.file === undefined) await endLine(file);
        file.bytes += bytes;
        return file;
      }
      await file.handle.close();
    }
  }

  /** Every log file of the folder, newest first. */
  private async list(): Promise<readonly { readonly name: string; readonly day: string; readonly number: number }[]> {
    const files = (await readdir(this.name)).flatMap((name) => {
      const [, day, number] = NAME.exec(name) ?? [];
      return day === undefined ? [] : { name, day, number: Number(number) };
    });
    return files.sort((a, b) => (a.day === b.day ? b.number - a.number : a.day < b.day ? 1 : -1));
  }

  /** Keeps what is written, also by a clock that was set back. */
  private async removeOldest(): Promise<void> {
    try {
      const paths = (await this.list()).map(({ name }) => join(this.name, name)).filter((path) => path !== this.file?.path);
      for (const path of paths.slice(this.limits.count - 1)) await unlink(path);
    } catch (error) {
      // another server may have been faster
      if (!hasCode(error, 'ENOENT')) this.logger.warn('old log files not removed', { err: error });
    }
  }
}

async function openFile(path: string, day: string): Promise<OpenFile> {
  const handle = await open(path, 'a+', 0o640);
  try {
    const { size, ino } = await handle.stat();
    return { handle, fd: handle.fd, path, day, inode: ino, bytes: size, lookedAt: performance.now() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Whether the file still has its name, looked at once a second. */
async function isThere(file: OpenFile): Promise<boolean> {
  const now = performance.now();
  if (now - file.lookedAt < LOOK_MS) return true;
  file.lookedAt = now;
  try {
    const { ino, size } = await stat(file.path);
    file.bytes = size;
    return ino === file.inode;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

/** A server that was killed may have left half a line. */
async function endLine(file: OpenFile): Promise<void> {
  if (file.bytes === 0) return;
  const { buffer } = await file.handle.read(Buffer.alloc(1), 0, 1, file.bytes - 1);
  if (buffer[0] !== NEWLINE) await file.handle.appendFile('\n');
}
