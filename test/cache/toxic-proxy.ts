import { once } from 'node:events';
import { type AddressInfo, createServer, connect, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What can be wrong with a network, or with whoever answers there. */
export const TOXICS = [
  'refuse',
  'black hole',
  '1 s latency',
  '90 % loss',
  'reset each 500 bytes',
  'slicer',
  '1 kB/s',
  'wrong replies',
] as const;

/** One of them; none: the network is well. */
export type Toxic = (typeof TOXICS)[number] | 'none';

const WRONG = ['+OK\r\n', '-ERR no\r\n', ':7\r\n', '$-1\r\n', '$5\r\nhello\r\n', '*1\r\n:1\r\n', '$9\r\n"aGVsbG8"\r\n', '?\r\n', ''];

/** A way to a server that can be poisoned, for connections that are there as well as for new ones. */
export class ToxicProxy {
  toxic: Toxic = 'none';
  private readonly sockets = new Set<Socket>();
  private last: Buffer = Buffer.alloc(0);

  private constructor(
    private readonly server: Server,
    private readonly upstream: number,
  ) {}

  static async before(port: number): Promise<ToxicProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    const proxy = new ToxicProxy(server, port);
    server.on('connection', (socket) => proxy.accept(socket));
    await once(server, 'listening');
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Sets what is wrong from now on. What is refused is cut as well. */
  poison(toxic: Toxic): void {
    this.toxic = toxic;
    if (toxic === 'refuse') this.cut();
  }

  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  private accept(client: Socket): void {
    if (this.toxic === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const server = connect(this.upstream, '127.0.0.1');
    for (const [from, to, reply] of [[client, server, false] as const, [server, client, true] as const]) {
      this.sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
      let before: Promise<void> = Promise.resolve();
      from.on('data', (chunk: Buffer) => {
        before = before.then(() => this.pass(chunk, to, reply));
      });
    }
  }

  private async pass(chunk: Buffer, to: Socket, reply: boolean): Promise<void> {
    switch (this.toxic) {
      case 'none':
        return send(chunk, to);
      case 'refuse':
      case 'black hole':
        return;
      case '1 s latency':
        await sleep(1000);
        return send(chunk, to);
      case '90 % loss':
        return Math.random() < 0.9 ? undefined : send(chunk, to);
      case 'reset each 500 bytes':
        send(chunk.subarray(0, 500), to);
        if (chunk.length > 500 || Math.random() < chunk.length / 500) to.destroy();
        return;
      case 'slicer':
        return slice(chunk, to);
      case '1 kB/s':
        await sleep(chunk.length);
        return send(chunk, to);
      case 'wrong replies':
        return send(reply ? this.wrong(chunk) : chunk, to);
    }
  }

  /** Somebody else's reply, nonsense, nothing, or now and then the right one. */
  private wrong(chunk: Buffer): Buffer {
    const before = this.last;
    this.last = chunk;
    const dice = Math.random();
    if (dice < 0.2) return chunk;
    if (dice < 0.5) return before;
    return Buffer.from(WRONG[Math.floor(Math.random() * WRONG.length)] as string);
  }
}

function send(bytes: Buffer, to: Socket): void {
  if (to.writable) to.write(bytes);
}

async function slice(chunk: Buffer, to: Socket): Promise<void> {
  for (let at = 0; at < chunk.length; at += 7) {
    send(chunk.subarray(at, at + 7), to);
    await new Promise(setImmediate);
  }
}
