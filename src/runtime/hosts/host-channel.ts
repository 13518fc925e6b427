import type { Duplex } from 'node:stream';
import { deserialize, serialize } from 'node:v8';

const MAGIC = 0x41_50_49_31; // "API1"
const HEAD_BYTES = 8;
const MAX_BYTES = 2 ** 30;

/**
 * Messages over a stream of bytes. Each is a head, the magic number and the length as UInt32 little-endian, and the message as V8
 * serializes it. Why not the channel of `fork`: bytes that an engine's library writes to it by mistake would end the server.
 */
export class HostChannel {
  private chunks: Buffer[] = [];
  private have = 0;
  /** Length of the message that is on its way; undefined: its head is. */
  private wanted: number | undefined;
  private broken = false;

  /** @param garbage called once where the other side sends what is no message; nothing is received after it */
  constructor(
    private readonly stream: Duplex,
    private readonly receive: (message: unknown) => void,
    private readonly garbage: (what: string) => void,
  ) {
    stream.on('data', (chunk: Buffer) => this.take(chunk));
    stream.on('error', () => {}); // the end of a process is told by its exit, on either side
  }

  send(message: unknown): void {
    const body = serialize(message);
    const head = Buffer.allocUnsafe(HEAD_BYTES);
    head.writeUInt32LE(MAGIC, 0);
    head.writeUInt32LE(body.length, 4);
    this.stream.cork();
    this.stream.write(head);
    this.stream.write(body);
    this.stream.uncork();
  }

  private take(chunk: Buffer): void {
    if (this.broken) return;
    this.chunks.push(chunk);
    this.have += chunk.length;
    try {
      for (let bytes = this.next(); bytes !== undefined; bytes = this.next()) this.receive(deserialize(bytes));
    } catch (error) {
      this.broken = true;
      this.chunks = [];
      this.garbage((error as Error).message);
    }
  }

  /** @returns a whole message; undefined where it has not arrived yet @throws where it is none */
  private next(): Buffer | undefined {
    if (this.wanted === undefined) {
      if (this.have < HEAD_BYTES) return undefined;
      const head = this.cutOff(HEAD_BYTES);
      this.wanted = head.readUInt32LE(4);
      if (head.readUInt32LE(0) !== MAGIC || this.wanted > MAX_BYTES) throw new Error('what came is no message');
    }
    if (this.have < this.wanted) return undefined;
    const body = this.cutOff(this.wanted);
    this.wanted = undefined;
    return body;
  }

  private cutOff(bytes: number): Buffer {
    const [first] = this.chunks as [Buffer];
    const all = first.length >= bytes ? first : Buffer.concat(this.chunks);
    const rest = all.length - bytes;
    if (all === first) this.chunks.shift();
    else this.chunks = [];
    if (rest > 0) this.chunks.unshift(all.subarray(bytes));
    this.have -= bytes;
    return all.subarray(0, bytes);
  }
}
