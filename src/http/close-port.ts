import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';

/** So long nobody may have come. Longer than a caller needs to come back with its next call, milliseconds. */
const QUIET_MS = 50;
/** Where they never stop coming, one quiet turn is enough after so long, milliseconds. */
const PATIENCE_MS = 100;
/** The port is closed after so long, whatever still comes, milliseconds. */
const MOST_MS = 2000;
/** Between two looks, milliseconds. */
const LOOK_MS = 1;
/** The last look was at the beginning of its turn: a longer turn may have missed who came since, milliseconds. */
const SHORT_TURN_MS = 0.25;
const CALLS = ['request', 'checkContinue'] as const;

type Call = [IncomingMessage, ServerResponse];

/**
 * Closes the port of a server and loses nobody. The kernel takes connections long before Node does, which takes one in a turn of its
 * loop; it resets those that still wait when the port closes. So calls are held, lest who is answered comes back at once, until
 * nobody waits any more; then the port closes, and what was held is answered.
 *
 * What Node cannot do: close in the instant of the last look. Whoever comes in the tenth of a millisecond between them is reset.
 *
 * @returns whether nobody waited at the last look
 */
export async function closePort(server: Server): Promise<boolean> {
  if (!server.listening) return true;
  const release = holdCalls(server);
  const quiet = await untilNobodyWaits(server);
  // in the turn of the last look, so nothing is awaited in between; the close() of node:http would end the idle connections before it
  NetServer.prototype.close.call(server);
  release();
  return quiet;
}

/** @returns what lets the held calls go on, in the order in which they came, and all further ones pass */
function holdCalls(server: Server): () => void {
  const held: (() => void)[] = [];
  const doors = CALLS.filter((event) => server.listenerCount(event) > 0).map((event) => {
    const handlers = server.listeners(event) as ((...call: Call) => void)[];
    server.removeAllListeners(event);
    server.on(event, (...call: Call) => held.push(() => call[0].socket.destroyed || server.emit(event, ...call)));
    return { event, handlers };
  });
  return () => {
    for (const { event, handlers } of doors) {
      server.removeAllListeners(event);
      for (const handler of handlers) server.on(event, handler);
    }
    for (const goOn of held) goOn();
  };
}

async function untilNobodyWaits(server: Server): Promise<boolean> {
  const startedAt = performance.now();
  let cameAt = startedAt;
  const came = (): void => void (cameAt = performance.now());
  server.on('connection', came);
  try {
    for (;;) {
      await sleep(LOOK_MS); // not one turn after the other: who computes without a pause is interrupted, perhaps just before it closes
      const lookedAt = performance.now();
      await turn(); // resolves right after the kernel was asked who waits
      const now = performance.now();
      const quiet = cameAt < lookedAt && now - lookedAt < SHORT_TURN_MS;
      if (quiet && (now - cameAt > QUIET_MS || now - startedAt > PATIENCE_MS)) return true;
      if (now - startedAt > MOST_MS) return false;
    }
  } finally {
    server.off('connection', came);
  }
}
