import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { json } from 'node:stream/consumers';
import { slowLoop } from '../onnx/models';
import { until } from './processes';
import { type ServerProcess, Servers } from './server-process';

const CLIENTS = 50;
/** Some 5 ms of an engine. */
const TURNS = 10_000;
const DRAIN_MS = 2000;

const servers = new Servers();
afterEach(() => servers.remove());

/** What became of a call. Times are `performance.now()`. */
interface Outcome {
  readonly id: string;
  readonly sentAt: number;
  readonly x: number;
  /** Undefined: no answer. */
  readonly status?: number;
  readonly prediction?: unknown;
  readonly closing?: boolean;
  readonly error?: string;
  /** Whether the server's kernel had taken the connection. */
  readonly connected: boolean;
}

/** Predicts as fast as it is answered, until nobody listens any more. */
async function keepAsking({ origin }: ServerProcess, who: number, keepAlive: boolean, outcomes: Outcome[]): Promise<void> {
  const agent = new Agent({ keepAlive, maxSockets: 1 });
  for (let turn = 0; ; turn++) {
    const outcome = await call(origin, agent, `client-${who}-call-${turn}`, 1 + who * 10_000 + turn);
    outcomes.push(outcome);
    if (outcome.status === undefined) break;
  }
  agent.destroy();
}

function call(origin: string, agent: Agent, id: string, x: number): Promise<Outcome> {
  const sentAt = performance.now();
  const headers = { 'Content-Type': 'application/json', 'X-Correlation-Id': id };
  return new Promise((resolve) => {
    let connected = false;
    const outgoing = request(`${origin}/api/v1/predict/slow`, { method: 'POST', agent, headers }, (incoming) => {
      answered(incoming).then(resolve, (error: Error) => resolve({ id, sentAt, x, connected, error: error.message }));
    });
    const answered = async (incoming: IncomingMessage): Promise<Outcome> => {
      const { predictions } = (await json(incoming)) as { readonly predictions?: readonly { readonly prediction: unknown }[] };
      const said = { status: incoming.statusCode ?? 0, prediction: predictions?.[0]?.prediction };
      return { id, sentAt, x, ...said, closing: incoming.headers.connection === 'close', connected };
    };
    outgoing.on('socket', (socket: Socket) => {
      connected = !socket.connecting;
      if (socket.connecting) socket.once('connect', () => (connected = true));
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => resolve({ id, sentAt, x, connected, error: String(error.code) }));
    outgoing.end(JSON.stringify({ instances: [[x]] }));
  });
}

describe('a stop under load', () => {
  it.each([
    ['keep their connection as long as they may', true],
    ['open a connection for each call', false],
  ])('of clients that %s answers or refuses every call, is unready at once, and ends by itself (RS-12)', async (_how, keepAlive) => {
    const server = await servers.start({
      EXAMPLES: 'off',
      DRAIN_SECONDS: String(DRAIN_MS / 1000),
      STOP_SECONDS: '5',
      CACHE_TTL_SECONDS: '0',
    });
    await server.serve('slow', slowLoop(TURNS));
    const outcomes: Outcome[] = [];
    const clients = Promise.all(Array.from({ length: CLIENTS }, (_, who) => keepAsking(server, who, keepAlive, outcomes)));
    await until('every client is at work', () => outcomes.length > 4 * CLIENTS, 10_000);
    await sleep(300);

    const signalledAt = performance.now();
    const stopped = server.stop('SIGTERM');
    await until('readiness is gone', async () => (await server.get('/health/ready')).status === 503);
    const unreadyMs = performance.now() - signalledAt;
    const { code, ms } = await stopped;
    await clients;

    const answered = outcomes.filter(({ status }) => status !== undefined);
    const refused = outcomes.filter(({ status }) => status === undefined);
    expect([...new Set(answered.map(({ status }) => status))]).toEqual([200]);
    expect(answered.every(({ x, prediction }) => prediction === x)).toBe(true);
    // each client ends by a connection that it did not get: none that the kernel took is reset
    expect(refused).toHaveLength(CLIENTS);
    expect(refused.filter(({ error, connected }) => error !== 'ECONNREFUSED' || connected)).toEqual([]);
    expect(refused.filter(({ sentAt }) => sentAt < signalledAt + DRAIN_MS - 500)).toEqual([]);
    const logged = new Map(server.log.filter(({ msg }) => msg === 'request').map(({ correlationId, status }) => [correlationId, status]));
    expect(refused.filter(({ id }) => logged.has(id))).toEqual([]);
    expect(answered.filter(({ id }) => logged.get(id) !== 200)).toEqual([]);
    // while it drains, and to the end, work is done
    expect(answered.filter(({ sentAt }) => sentAt > signalledAt + DRAIN_MS / 2).length).toBeGreaterThan(CLIENTS);
    expect(answered.some(({ closing }) => closing)).toBe(true);
    expect(unreadyMs).toBeLessThan(1000);
    expect(code).toBe(0);
    expect(ms).toBeGreaterThan(DRAIN_MS - 50);
    expect(ms).toBeLessThan(DRAIN_MS + 5000);
  });
});
