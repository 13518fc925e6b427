import { write, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Logger } from '@nestjs/common';
import type { DestinationStream } from 'pino';
import { hasCode } from '../errors/has-code';

/** How much waits for a place that cannot be written; beyond it lines are lost, and counted. */
const BACKLOG_BYTES = 8 * 2 ** 20;
const AGAIN_MS = 1000;
const BUSY_MS = 20;
/** How long an exit waits for a reader that takes nothing. */
const LAST_WAIT_MS = 2000;
const NEWLINE = 10;

const writePart = promisify(write);

/** An open file. */
export interface LogFile {
  readonly fd: number;
}

/** What is written to: standard output, or the files of a folder. */
export interface LogPlace {
  readonly name: string;
  /** Where so many bytes go next: another object where it is another file. @throws what the system says */
  next(bytes: number): Promise<LogFile>;
  /** The file that was written last; undefined: none yet. */
  readonly current: LogFile | undefined;
}

/**
 * Writes pieces of the log to a place, one after another, and never keeps anybody waiting. While the place cannot be written (its disk is
 * full, its folder is gone) it is tried each second; what waits meanwhile is bounded, what is lost is counted, and said when it is over.
 */
export class LogOutlet implements DestinationStream {
  private readonly logger = new Logger(LogOutlet.name);
  private readonly waiting: Buffer[] = [];
  private waitingBytes = 0;
  private working = false;
  private inFlight = false;
  private failingSince: number | undefined;
  private lost = 0;
  private readerGone = false;
  /** Where the beginning of the first piece went, if only that was written. */
  private begun: LogFile | undefined;

  constructor(private readonly place: LogPlace) {}

  /** @param text whole lines */
  write(text: string): void {
    if (this.readerGone) return;
    const piece = Buffer.from(text);
    if (this.waitingBytes + piece.length > BACKLOG_BYTES) {
      this.lost += linesOf(piece);
      return;
    }
    this.waiting.push(piece);
    this.waitingBytes += piece.length;
    if (!this.working) void this.work();
  }

  /** As the process exits: writes what no turn of the event loop will write any more. @returns how many lines could not be written */
  end(): number {
    const rest = this.inFlight ? this.waiting.slice(1) : this.waiting; // Node ends what is in flight
    const { current } = this.place;
    while (rest[0] !== undefined && current !== undefined && writeAll(current.fd, rest[0])) rest.shift();
    return this.readerGone ? 0 : this.lost + rest.reduce((sum, piece) => sum + linesOf(piece), 0);
  }

  private async work(): Promise<void> {
    this.working = true;
    while (this.waiting.length > 0) {
      try {
        await this.writeNext();
        const trouble = this.failingSince !== undefined || this.lost > 0;
        if (trouble && this.waiting.length === 0) this.recovered();
      } catch (error) {
        await this.failed(error);
      }
    }
    this.working = false;
  }

  private async writeNext(): Promise<void> {
    const file = await this.place.next(this.waiting[0]?.length as number);
    if (this.begun !== undefined && this.begun !== file) this.skipLine();
    const piece = this.waiting[0];
    if (piece === undefined) return;
    this.inFlight = true;
    try {
      const { bytesWritten } = await writePart(file.fd, piece, 0, piece.length, null);
      this.take(bytesWritten);
      this.begun = bytesWritten < piece.length ? file : undefined;
    } finally {
      this.inFlight = false;
    }
  }

  /** The beginning of a line is in a file that is left: nobody wants its end in another. */
  private skipLine(): void {
    const piece = this.waiting[0] as Buffer;
    this.take(piece.indexOf(NEWLINE) + 1 || piece.length);
    this.begun = undefined;
    this.lost++;
  }

  private take(bytes: number): void {
    const piece = this.waiting[0] as Buffer;
    this.waitingBytes -= bytes;
    if (bytes < piece.length) this.waiting[0] = piece.subarray(bytes);
    else this.waiting.shift();
  }

  private async failed(error: unknown): Promise<void> {
    if (hasCode(error, 'EAGAIN', 'EBUSY', 'EINTR')) return sleep(BUSY_MS);
    if (hasCode(error, 'EPIPE')) {
      this.readerGone = true;
      this.waiting.length = 0;
    }
    if (this.failingSince === undefined) {
      this.failingSince = performance.now();
      this.logger.error('log not written', { place: this.place.name, reason: (error as Error).message });
    }
    if (!this.readerGone) await sleep(AGAIN_MS, undefined, { ref: false });
  }

  private recovered(): void {
    const ms = Math.round(performance.now() - (this.failingSince ?? performance.now()));
    this.logger.warn('log written again', { place: this.place.name, lostLines: this.lost, ms });
    [this.failingSince, this.lost] = [undefined, 0];
  }
}

function linesOf(piece: Buffer): number {
  let lines = 0;
  for (let at = piece.indexOf(NEWLINE); at !== -1; at = piece.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}

/** Waits for a reader that is slow, for a while. @returns whether all of it was written */
function writeAll(fd: number, piece: Buffer): boolean {
  let left = piece;
  for (const deadline = performance.now() + LAST_WAIT_MS; left.length > 0;) {
    try {
      left = left.subarray(writeSync(fd, left));
    } catch (error) {
      if (!hasCode(error, 'EAGAIN', 'EBUSY', 'EINTR') || performance.now() > deadline) return false;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_MS);
    }
  }
  return true;
}
