const LF = 10;
const MAX_LINE = 1024;
const MAX_DEPTH = 3;
const MAX_ELEMENTS = 10_000;

/** The other side sends what no Redis sends to us. */
export class HostileReply extends Error {}

/**
 * Looks over what a server sends before the client's parser does, which believes every length that it reads: no reply may be larger than what
 * we ever ask for, and none of another kind.
 */
export class ReplyScanner {
  private line = '';
  /** Bytes of a bulk string that are still to come, its line end included. */
  private toCome = 0;
  /** How many elements each open array lacks, the outermost first. */
  private readonly lacking: number[] = [];
  private bytes = 0;

  /** @param maxBytes of one reply, arrays with all that is in them */
  constructor(private readonly maxBytes: number) {}

  /** @throws HostileReply */
  scan(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) at = this.toCome > 0 ? this.pass(chunk, at) : this.readLine(chunk, at);
  }

  private pass(chunk: Buffer, at: number): number {
    const passed = Math.min(this.toCome, chunk.length - at);
    this.toCome -= passed;
    if (this.toCome === 0) this.endElement();
    return at + passed;
  }

  private readLine(chunk: Buffer, at: number): number {
    const end = chunk.indexOf(LF, at);
    const to = end === -1 ? chunk.length : end + 1;
    if (this.line.length + to - at > MAX_LINE) throw new HostileReply('a line without an end');
    this.line += chunk.toString('latin1', at, to);
    if (end !== -1) {
      const line = this.line;
      this.line = '';
      this.begin(line);
    }
    return to;
  }

  private begin(line: string): void {
    // the parser ends a line at the first CR, whatever follows it
    if (line.indexOf('\r') !== line.length - 2) throw new HostileReply('a line that does not end as lines do');
    const kind = line[0];
    const rest = line.slice(1, -2);
    this.grow(line.length);
    if (kind === '+' || kind === '-' || (kind === ':' && /^-?[0-9]{1,19}$/.test(rest)) || rest === '-1') return this.beginLeaf(kind);
    if (!/^[0-9]{1,10}$/.test(rest)) throw new HostileReply(`a reply of no known kind: ${JSON.stringify(line.slice(0, 20))}`);
    if (kind === '$') return this.beginBulk(Number(rest));
    if (kind === '*') return this.beginArray(Number(rest));
    throw new HostileReply(`a reply of no known kind: ${JSON.stringify(kind)}`);
  }

  private beginLeaf(kind: string | undefined): void {
    if (!'+-:$*'.includes(kind ?? ' ')) throw new HostileReply('a null of no known kind');
    this.endElement();
  }

  private beginBulk(length: number): void {
    this.grow(length);
    this.toCome = length + 2;
  }

  private beginArray(length: number): void {
    if (length > MAX_ELEMENTS || this.lacking.length >= MAX_DEPTH) throw new HostileReply('an array too large or too deep');
    if (length === 0) return this.endElement();
    this.lacking.push(length);
  }

  private grow(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > this.maxBytes) throw new HostileReply(`a reply of more than ${this.maxBytes} bytes`);
  }

  private endElement(): void {
    while (this.lacking.length > 0) {
      const left = (this.lacking.pop() as number) - 1;
      if (left > 0) {
        this.lacking.push(left);
        return;
      }
    }
    this.bytes = 0;
  }
}
