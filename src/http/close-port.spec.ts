import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { closePort } from './close-port';

const CALL = 'GET / HTTP/1.1\r\nHost: here\r\n\r\n';
const EXPECTING = 'POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n';

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function listen(handle: RequestListener): Promise<void> {
  server = createServer(handle);
  server.on('checkContinue', handle);
  await once(server.listen(0, '127.0.0.1'), 'listening');
}

/** Calls on a connection of its own: on this machine the kernel has taken it when this returns. */
function call(port: number, request = CALL): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.write(request);
  return socket;
}

function portOf(): number {
  return (server.address() as AddressInfo).port;
}

/** @returns the first line of the answer, or the code of the error */
function outcome(socket: Socket): Promise<string> {
  return text(socket).then(
    (answer) => answer.split('\r\n')[0] as string,
    (error: NodeJS.ErrnoException) => String(error.code),
  );
}

const answer: RequestListener = (_request, response) => void response.setHeader('Connection', 'close').end();

describe(closePort, () => {
  it('answers every connection that the kernel has taken, and further ones are refused', async () => {
    await listen(answer);
    const port = portOf();
    const outcomes = Promise.all(Array.from({ length: 200 }, () => outcome(call(port))));

    expect(await closePort(server)).toBe(true);
    expect(new Set(await outcomes)).toEqual(new Set(['HTTP/1.1 200 OK']));
    expect(await outcome(call(port))).toBe('ECONNREFUSED');
  });

  it.each([
    ['call', CALL],
    ['call that waits for a 100', EXPECTING],
  ])('answers a %s only when the port is closed, lest the caller comes back', async (_, request) => {
    const listening: boolean[] = [];
    await listen((incoming, response) => {
      listening.push(server.listening);
      answer(incoming, response);
    });
    const answered = outcome(call(portOf(), request));
    await closePort(server);

    expect(await answered).toBe('HTTP/1.1 200 OK');
    expect(listening).toEqual([false]);
  });

  it('closes where callers never stop coming, and loses none', async () => {
    await listen(answer);
    const port = portOf();
    const outcomes: Promise<string>[] = [];
    const callers = setInterval(() => outcomes.push(outcome(call(port))), 5);
    await sleep(50);
    const startedAt = performance.now();
    await closePort(server);
    const ms = performance.now() - startedAt;
    await sleep(50);
    clearInterval(callers);

    expect(ms).toBeLessThan(1900);
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['HTTP/1.1 200 OK', 'ECONNREFUSED']));
  });

  it('closes in the end though the process is never at rest, and says so', async () => {
    await listen(answer);
    let busy = true;
    const compute = (): void => {
      for (const until = performance.now() + 1; performance.now() < until;);
      if (busy) setImmediate(compute);
    };
    compute();
    const quiet = await closePort(server);
    busy = false;

    expect(quiet).toBe(false);
    expect(server.listening).toBe(false);
  });

  it('begins nothing for a caller who has gone while it was held', async () => {
    const handle = jest.fn(answer);
    await listen(handle);
    const gone = call(portOf());
    const stays = outcome(call(portOf()));
    gone.once('connect', () => setTimeout(() => gone.resetAndDestroy(), 10));
    await closePort(server);

    expect(await stays).toBe('HTTP/1.1 200 OK');
    expect(handle).toHaveBeenCalledTimes(1);
  });
});
