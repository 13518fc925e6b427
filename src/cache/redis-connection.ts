import type { Socket } from 'node:net';
import { createClient, type RedisClientType } from 'redis';
import type { RedisAddress } from './redis-address';
import { ReplyScanner } from './reply-scanner';

/** A connection that takes longer, login included, is none. */
const CONNECT_MS = 1000;
/** No reply that we ask for is larger; see `MAX_SEALED_BYTES`. */
const MAX_REPLY_BYTES = 2 ** 19;
/** Commands that wait to be sent or answered; more are refused. */
const MAX_COMMANDS = 2048;
const READ_BYTES = 2 ** 16;

/**
 * One connection to Redis, from its beginning to its end. It has a client of its own: the parser of one that reconnects goes on with half a
 * reply of the connection before, and hands everybody the reply to somebody else's command.
 */
export class RedisConnection {
  readonly client: RedisClientType;
  /** Resolved with the cause, as soon as it is of no use any more. */
  readonly ended: Promise<Error>;
  private usable = true;
  private readonly cut = new AbortController();
  private readonly tellEnd: (cause: Error) => void;

  private constructor(address: RedisAddress) {
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.ended = promise;
    this.tellEnd = resolve;
    this.client = createClient({
      ...address.login,
      disableOfflineQueue: true,
      disableClientInfo: true,
      commandsQueueMaxLength: MAX_COMMANDS,
      socket: { ...this.socketTo(address), connectTimeout: CONNECT_MS, reconnectStrategy: false },
    });
    this.client.on('error', (error: Error) => this.end(error));
  }

  /** @throws within a second or so, where there is nobody, or nobody who lets us in */
  static async open(address: RedisAddress): Promise<RedisConnection> {
    const connection = new RedisConnection(address);
    const timer = setTimeout(() => connection.end(new Error(`no connection within ${CONNECT_MS} ms`)), CONNECT_MS);
    const opened = connection.client.connect().then(
      () => undefined,
      (error: Error) => error,
    );
    const cause = await Promise.race([connection.ended, opened]);
    clearTimeout(timer);
    if (cause === undefined) return connection;
    connection.end(cause);
    throw cause;
  }

  get isUsable(): boolean {
    return this.usable;
  }

  /** Cuts it; commands without a reply fail. */
  end(cause: Error): void {
    this.usable = false;
    this.tellEnd(cause);
    this.cut.abort();
  }

  /** What is read is looked over before the client sees it, and what the client throws over it ends the connection and not the process. */
  private socketTo({ host, port, tls }: RedisAddress): { readonly host: string; readonly port: number; readonly tls: false } {
    const scanner = new ReplyScanner(MAX_REPLY_BYTES);
    const read = function (this: Socket, length: number, buffer: Uint8Array): boolean {
      try {
        const chunk = Buffer.from(buffer.subarray(0, length)); // the buffer is filled again, and the parser keeps parts of it
        scanner.scan(chunk);
        this.emit('data', chunk);
      } catch (error) {
        this.destroy(error as Error);
      }
      return true;
    };
    const onread = { buffer: new Uint8Array(READ_BYTES), callback: read };
    // the client hands all of it to net.connect or tls.connect; its types know of one of them at a time
    return { host, port, tls: tls as false, signal: this.cut.signal, onread } as { host: string; port: number; tls: false };
  }
}
