import type { IncomingMessage } from 'node:http';
import { BodyTooSlow } from './wire.errors';

const CHECK_MS = 250;

/** How slowly a body may arrive. */
export interface BodyPace {
  /** Of the whole body; or, where a least rate is given, of each stretch in which so much must come. */
  readonly maxMs: number;
  readonly minBytesPerSecond?: number;
}

interface Watched {
  readonly request: IncomingMessage;
  readonly pace: BodyPace;
  readonly onSlow: (error: BodyTooSlow) => void;
  since: number;
  bytes: number;
}

const watched = new Set<Watched>();
let timer: NodeJS.Timeout | undefined;

/**
 * Watches a body while it arrives: one timer for all of them, as a timer for each request costs as much as reading it.
 * @returns ends the watch
 */
export function watchBody(request: IncomingMessage, pace: BodyPace, onSlow: (error: BodyTooSlow) => void): () => void {
  timer ??= setInterval(look, CHECK_MS).unref();
  const body = { request, pace, onSlow, since: performance.now(), bytes: request.socket.bytesRead };
  watched.add(body);
  return () => void watched.delete(body);
}

function look(): void {
  const now = performance.now();
  for (const body of watched) {
    const { request, pace, onSlow } = body;
    if (now - body.since < pace.maxMs) continue;
    const { bytesRead } = request.socket;
    const wanted = pace.minBytesPerSecond === undefined ? Number.POSITIVE_INFINITY : (pace.minBytesPerSecond * pace.maxMs) / 1000;
    if (bytesRead - body.bytes >= wanted) {
      [body.since, body.bytes] = [now, bytesRead];
      continue;
    }
    watched.delete(body);
    onSlow(new BodyTooSlow(pace));
  }
}
