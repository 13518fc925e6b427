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
  /** Its place in `watched`. */
  at: number;
}

/**
 * No Set: what it throws away of itself while requests come and go holds them until the next great collection of garbage, and all that is
 * young and belongs to them is copied twice.
 */
const watched: Watched[] = [];
let timer: NodeJS.Timeout | undefined;

/**
 * Watches a body while it arrives: one timer for all of them, as a timer for each request costs as much as reading it.
 * @returns ends the watch
 */
export function watchBody(request: IncomingMessage, pace: BodyPace, onSlow: (error: BodyTooSlow) => void): () => void {
  timer ??= setInterval(look, CHECK_MS).unref();
  const body = { request, pace, onSlow, since: performance.now(), bytes: request.socket.bytesRead, at: watched.length };
  watched.push(body);
  return () => forget(body);
}

/** The last one takes its place. */
function forget(body: Watched): void {
  if (watched[body.at] !== body) return;
  const last = watched.pop() as Watched;
  if (last === body) return;
  watched[body.at] = last;
  last.at = body.at;
}

function look(): void {
  const now = performance.now();
  for (const body of watched.toReversed()) {
    const { request, pace, onSlow } = body;
    if (now - body.since < pace.maxMs) continue;
    const { bytesRead } = request.socket;
    const wanted = pace.minBytesPerSecond === undefined ? Number.POSITIVE_INFINITY : (pace.minBytesPerSecond * pace.maxMs) / 1000;
    if (bytesRead - body.bytes >= wanted) {
      [body.since, body.bytes] = [now, bytesRead];
      continue;
    }
    forget(body);
    onSlow(new BodyTooSlow(pace));
  }
}
