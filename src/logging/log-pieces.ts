import type { DestinationStream } from 'pino';

/** Each piece is written by a thread, whose waking costs as much as some dozen lines. */
const PIECE_CHARS = 64 * 1024;
const OLDEST_MS = 50;

/** Lines in large pieces on their way to a slower destination, in the order in which they came, none of them kept longer than 50 ms. */
export class LogPieces implements DestinationStream {
  private text = '';
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly destination: DestinationStream) {}

  write(line: string): void {
    this.text += line;
    if (this.text.length >= PIECE_CHARS) return this.flush();
    this.timer ??= setTimeout(() => this.flush(), OLDEST_MS).unref();
  }

  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const piece = this.text;
    this.text = '';
    if (piece !== '') this.destination.write(piece);
  }
}
