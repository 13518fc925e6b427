import type { Request, Response } from 'express';
import type { ErrorKind } from '../errors/app-error';

const AT_THE_DOOR: ReadonlySet<ErrorKind> = new Set(['unauthenticated', 'forbidden', 'misdirected', 'overloaded']);
const LITTLE_BYTES = 65_536;
const LINGER_MS = 1000;
const unread = new WeakSet<Request>();

/** Whether nobody shall read what still comes. */
export function isUnread(request: Request): boolean {
  return unread.has(request);
}

/**
 * Who is refused at the door has no claim that a large body is taken in: reading stops at once, and the connection ends when the answer
 * has had a moment to arrive.
 */
export function leaveUnread(kind: ErrorKind, request: Request, response: Response): void {
  if (!AT_THE_DOOR.has(kind) || request.complete || !isLarge(request)) return;
  unread.add(request);
  response.setHeader('Connection', 'close');
  const { socket } = request;
  request.read(0); // Node throws away, at any length, what nobody has begun to read
  request.pause();
  socket.pause();
  socket.destroySoon = () => {
    socket.end();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  };
}

function isLarge({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > LITTLE_BYTES;
}
