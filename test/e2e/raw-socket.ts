import { connect, type Socket } from 'node:net';

export const HOST = 'Host: localhost';

/** A request's text: its lines, and a body. */
export function message(lines: readonly string[], body = ''): string {
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** What a server said on one connection until it, or the test, closed it. */
export interface Said {
  readonly text: string;
  /** Status lines in the order in which they came. */
  readonly statuses: readonly number[];
  /** Whether the server ended the connection. */
  readonly closed: boolean;
}

/** Sends bytes as they are on a connection of their own. @param waitMs how long the server may take to close it */
export function sendRaw(origin: string, bytes: string | Buffer | readonly (string | Buffer)[], waitMs = 1000): Promise<Said> {
  const socket = open(origin);
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  for (const part of typeof bytes === 'string' || Buffer.isBuffer(bytes) ? [bytes] : bytes) socket.write(part);
  return new Promise((resolve) => {
    const end = (closed: boolean) => (): void => {
      clearTimeout(timer);
      socket.destroy();
      const text = Buffer.concat(parts).toString('latin1');
      resolve({ text, closed, statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)) });
    };
    const timer = setTimeout(end(false), waitMs);
    socket.once('close', end(true));
  });
}

/** A connection whose errors are no failure of the test: the server may cut it. */
export function open(origin: string): Socket {
  const { hostname, port } = new URL(origin);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  return socket;
}
