import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** What is said to a command, by its name in small letters; undefined: nothing. */
export type Say = (command: string, socket: Socket) => string | Buffer | undefined;

const WELL_BEHAVED: Readonly<Record<string, string>> = {
  ping: '+PONG\r\n',
  subscribe: '*3\r\n$9\r\nsubscribe\r\n$10\r\naapi:clear\r\n:1\r\n',
};

/** Something on the port of a Redis that says whatever it likes. */
export class HostileRedis {
  connections = 0;
  /** What it has sent so far. */
  sentBytes = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly say: Say,
  ) {}

  static async start(say: Say): Promise<HostileRedis> {
    const server = createServer().listen(0, '127.0.0.1');
    const hostile = new HostileRedis(server, say);
    server.on('connection', (socket) => hostile.serve(socket));
    await once(server, 'listening');
    return hostile;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Sends as fast as the other side reads, until it has had enough or the connection is gone. */
  pour(socket: Socket, chunk: Buffer, bytes: number): void {
    const more = (): void => {
      while (!socket.destroyed && this.sentBytes < bytes) {
        this.sentBytes += chunk.length;
        if (!socket.write(chunk)) {
          socket.once('drain', more);
          return;
        }
      }
    };
    more();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private serve(socket: Socket): void {
    this.connections++;
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      for (const [, name] of chunk.toString('latin1').matchAll(/\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/g))
        this.answer(name!.toLowerCase(), socket);
    });
  }

  private answer(command: string, socket: Socket): void {
    const reply = WELL_BEHAVED[command] ?? this.say(command, socket);
    if (reply !== undefined && socket.writable) socket.write(reply);
  }
}
