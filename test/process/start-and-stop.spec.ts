import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, cp } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import golden from '../../examples/iris/golden.json';
import { linear, slowLoop } from '../onnx/models';
import { until } from './processes';
import { ServerProcess, type Settings } from './server-process';

const FEATURES = golden.rows[0]!.features;
const STACK_LINE = /^\s+at .*[:(]/m;
const TURNS_OF_A_SECOND = 2_500_000;

const servers: ServerProcess[] = [];
/** Starts a server that the test's end takes away. */
async function start(settings: Settings = {}): Promise<ServerProcess> {
  const server = await ServerProcess.start(settings);
  servers.push(server);
  return server;
}
async function failToStart(settings: Settings): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const server = ServerProcess.launch(settings);
  servers.push(server);
  const { code } = await server.ended();
  return { code, stdout: server.stdout, stderr: server.stderr };
}
afterEach(() => Promise.all(servers.splice(0).map((server) => server.remove())));

// a registry with the example and one model more, as a server left it: tests work on copies
let registry: string;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'analytics-api-registry-'));
  const server = await ServerProcess.start({ MODELS_DIR: join(folder, 'original') });
  await server.serve('double', linear([[2]]));
  await server.stop('SIGINT');
  await server.remove();
});
beforeEach(async () => {
  registry = mkdtempSync(join(folder, 'copy-'));
  await cp(join(folder, 'original'), registry, { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Prediction {
  readonly prediction: string;
  readonly probabilities: Readonly<Record<string, number>>;
}

/** How far a prediction is from the one that scikit-learn made; infinitely far where the class differs. */
function distance(given: Prediction, { prediction, probabilities }: Prediction): number {
  if (given.prediction !== prediction) return Number.POSITIVE_INFINITY;
  return Math.max(...Object.entries(probabilities).map(([label, value]) => Math.abs((given.probabilities[label] ?? Number.NaN) - value)));
}

async function expectGolden(server: ServerProcess): Promise<void> {
  const { body } = await server.predict('iris', { features: golden.rows.map(({ features }) => features) });
  const inOne = golden.rows.map((row, at) => distance(body.predictions[at], row));
  const alone = await Promise.all(
    golden.rows.map(async (row) => distance((await server.predict('iris', { features: row.features })).body, row)),
  );
  expect(inOne).toHaveLength(50);
  expect(Math.max(...inOne, ...alone)).toBeLessThan(1e-5);
}

describe('a start', () => {
  it('on an empty registry publishes the example and prints a line of curl that answers as it stands', async () => {
    const server = await start();
    const line = await until('the line of curl', () => /^curl .*$/m.exec(server.stderr)?.[0]);
    const { stdout } = await promisify(execFile)('bash', ['-c', line], { env: { PATH: '/usr/bin:/bin' }, timeout: 10_000 });

    expect(server.stderr).toContain('The registry was empty: the example model "iris" is published and in production.');
    expect(JSON.parse(stdout)).toMatchObject({ prediction: 'virginica', model: 'iris', model_version: 1 });
    expect(server.readyMs).toBeLessThan(20_000);
  });

  it('with EXAMPLES=off publishes nothing and says nothing of it', async () => {
    const server = await start({ EXAMPLES: 'off' });
    expect((await server.get('/api/v1/models')).body).toEqual({ models: [] });
    await server.stop('SIGINT');
    expect(server.stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  it('answers as scikit-learn does, before and after a restart, which does not announce the example again', async () => {
    const first = await start();
    await expectGolden(first);
    await first.stop('SIGINT');
    const second = await start({ MODELS_DIR: first.modelsDir });
    await expectGolden(second);
    await second.stop('SIGINT');

    expect(second.stderr).not.toMatch(/curl|example/);
    expect(readdirSync(join(first.modelsDir, 'log'))).toHaveLength(4);
  });

  it('writes one JSON object a line to standard output, and no stack to standard error', async () => {
    const server = await start({ LOG_LEVEL: 'trace' });
    await Promise.all([server.predict('iris', { features: FEATURES }), server.predict('nobody', {}), server.get('/nowhere')]);
    await server.serve('double', linear([[2]]));
    await server.stop('SIGINT');

    expect(server.stdout).toMatch(/\n$/);
    expect(server.log.length).toBeGreaterThan(10);
    expect(server.log.filter(({ level, time, msg }) => !level || Number.isNaN(Date.parse(String(time))) || !msg)).toEqual([]);
    expect(server.stderr).not.toMatch(STACK_LINE);
  });
});

describe('a start that fails', () => {
  it('says every fault of the configuration at once, and nothing else', async () => {
    const { code, stdout, stderr } = await failToStart({ PORT: 'abc', MAX_CALLS: '0', LOG_LEVEL: 'loud', PROT: '1' });
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr.split('\n')).toEqual([
      'The configuration has 4 faults:',
      expect.stringMatching(/^ {2}PORT=abc: .*integer/),
      expect.stringMatching(/^ {2}LOG_LEVEL=loud: .*trace, debug/),
      expect.stringMatching(/^ {2}MAX_CALLS=0: .*less than 1/),
      '  PROT: no such setting; PORT was meant?',
      '',
    ]);
  });

  it('does not listen where others could reach an API without keys, unless told so', async () => {
    const { code, stdout, stderr } = await failToStart({ HOST: '0.0.0.0' });
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toMatch(/^The configuration has a fault:\n {2}HOST=0\.0\.0\.0: .*\n {4}AUTH_MODE=none\n$/);
  });

  it('says in one line that the port is taken', async () => {
    const neighbour = createServer().listen(0, '127.0.0.1');
    await once(neighbour, 'listening');
    const { port } = neighbour.address() as AddressInfo;
    const { code, stderr } = await failToStart({ PORT: String(port) });
    neighbour.close();

    expect(code).toBe(1);
    expect(stderr).toBe(`The port ${port} on 127.0.0.1 is taken: end what uses it, or set PORT to another\n`);
  });

  it('names the event of the log that cannot be trusted', async () => {
    const event = join(registry, 'log', '00000000000000000003.json');
    const text = readFileSync(event, 'utf8');
    await chmod(event, 0o644);
    writeFileSync(event, text.slice(0, -10));
    const { code, stderr } = await failToStart({ MODELS_DIR: registry });
    expect(code).toBe(1);
    expect(stderr).toBe('The start failed: Event 3 of the log cannot be trusted: it is no JSON\n');
  });

  it('names the event that was changed behind its successor', async () => {
    const event = join(registry, 'log', '00000000000000000002.json');
    const text = readFileSync(event, 'utf8');
    await chmod(event, 0o644);
    writeFileSync(event, text.replace('"version":1', '"version":2'));
    const { code, stderr } = await failToStart({ MODELS_DIR: registry });
    expect(code).toBe(1);
    expect(stderr).toBe('The start failed: Event 3 of the log cannot be trusted: it is not chained to the event before it\n');
  });

  it('says in one line that the folder of the registry is a file', async () => {
    const file = join(folder, 'a-file');
    writeFileSync(file, '');
    const { code, stderr } = await failToStart({ MODELS_DIR: file });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^The start failed: .*a-file.*\n$/);
  });
});

describe('a broken model in production', () => {
  beforeEach(async () => {
    const { body } = await onACopy((server) => server.get('/api/v1/models/iris/versions/1'));
    const { sha256 } = body.files[0];
    const blob = join(registry, 'blobs', 'sha256', sha256.slice(0, 2), sha256);
    const bytes = readFileSync(blob);
    bytes[bytes.length >> 1]! ^= 1;
    await chmod(blob, 0o644);
    writeFileSync(blob, bytes);
  });

  async function onACopy<T>(work: (server: ServerProcess) => Promise<T>): Promise<T> {
    const server = await start({ MODELS_DIR: registry });
    const result = await work(server);
    await server.stop('SIGINT');
    return result;
  }

  it('is named by readiness, is refused with the reason, and harms no other', async () => {
    const server = await start({ MODELS_DIR: registry });
    const ready = await server.get('/health/ready');
    const broken = await server.predict('iris', { features: FEATURES });
    const sound = await server.predict('double', { instances: [[21]] });

    expect(ready).toMatchObject({ status: 200, body: { status: 'degraded', degraded: ['models'] } });
    expect(broken).toMatchObject({
      status: 503,
      body: { code: 'MODEL_UNAVAILABLE', actual: expect.stringContaining('not what was uploaded') },
    });
    expect(sound).toMatchObject({ status: 200, body: { predictions: [{ prediction: 42 }] } });
    expect(server.stderr).not.toMatch(STACK_LINE);
  });

  it('keeps a server from being ready where it is required', async () => {
    const server = ServerProcess.launch({ MODELS_DIR: registry, REQUIRED_MODELS: 'iris,double' });
    servers.push(server);
    await server.listening();
    await until('the other model is served', async () => (await server.predict('double', { instances: [[1]] })).status === 200);

    for (const probe of ['startup', 'ready']) {
      expect(await server.get(`/health/${probe}`)).toMatchObject({
        status: 503,
        body: { code: 'NOT_READY', checks: { models: { status: 'down', waitingFor: ['iris'] } } },
      });
    }
    expect((await server.get('/health/live')).status).toBe(200);
  });
});

describe('a stop', () => {
  /** Predicts as fast as it is answered, over a connection kept as long as the server keeps it, until nobody listens any more. */
  async function keepBusy({ origin }: ServerProcess, answers: IncomingMessage[]): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const deadline = performance.now() + 10_000;
    try {
      while (performance.now() < deadline) {
        const call = request(`${origin}/api/v1/predict/iris`, { agent, method: 'POST', headers: { 'Content-Type': 'application/json' } });
        call.end(JSON.stringify({ features: FEATURES }));
        const [answer] = (await once(call, 'response')) as [IncomingMessage];
        await json(answer);
        answers.push(answer);
      }
    } catch (error) {
      // reset: the kernel had taken the connection, the server had not
      if (!['ECONNREFUSED', 'ECONNRESET'].includes(String((error as NodeJS.ErrnoException).code))) throw error;
    }
  }

  it('by SIGTERM goes unready at once, answers while it drains, loses no line of the log, and is over when the drain time is', async () => {
    const server = await start({ DRAIN_SECONDS: '1', STOP_SECONDS: '2' });
    const ids = Array.from({ length: 200 }, (_, at) => `request-${at}`);
    await Promise.all(ids.map((id) => server.predict('iris', { features: FEATURES }, { 'X-Correlation-Id': id })));
    const answers: IncomingMessage[] = [];
    const busy = keepBusy(server, answers);
    await until('a client is busy', () => answers.length > 10);
    const signalledAt = performance.now();
    const stopped = server.stop('SIGTERM');
    const unready = await until('readiness is gone', async () => {
      const answer = await server.get('/health/ready');
      return answer.status === 503 && answer;
    });
    const unreadyMs = performance.now() - signalledAt;
    const answer = await server.predict('iris', { features: FEATURES }, { 'X-Correlation-Id': 'request-at-last' });
    const { code, ms } = await stopped;
    await busy;
    const logged = server.log.filter(({ msg, status }) => msg === 'request' && status === 200).map(({ correlationId }) => correlationId);

    expect(unreadyMs).toBeLessThan(200);
    expect(unready.body).toMatchObject({ code: 'NOT_READY', checks: { server: { status: 'down', draining: true } } });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('connection')).toBe('close');
    expect(code).toBe(0);
    expect(ms).toBeGreaterThan(950);
    expect(ms).toBeLessThan(3000);
    expect(new Set(logged).intersection(new Set([...ids, 'request-at-last'])).size).toBe(201);
    expect(answers.filter(({ statusCode }) => statusCode !== 200)).toEqual([]);
    expect(new Set(answers.map(({ headers }) => headers.connection))).toEqual(new Set(['keep-alive', 'close']));
    expect(server.stderr).not.toMatch(STACK_LINE);
  });

  it('answers a prediction that was running when the signal came, after the port has closed, and logs it', async () => {
    const server = await start({ DRAIN_SECONDS: '0' });
    await server.serve('slow', slowLoop(TURNS_OF_A_SECOND));
    let answered = false;
    const slow = server.predict('slow', { instances: [[1]] }, { 'X-Correlation-Id': 'the-slow-one' }).finally(() => (answered = true));
    await sleep(150);
    const stopped = server.stop('SIGTERM');
    await until('the port is closed', () => refuses(server));
    const answeredBefore = answered;
    const answer = await slow;
    const { code, ms } = await stopped;

    expect(answeredBefore).toBe(false);
    expect(answer).toMatchObject({ status: 200, body: { predictions: [{ prediction: 1 }] } });
    expect(code).toBe(0);
    expect(ms).toBeLessThan(5000);
    expect(server.log).toContainEqual(expect.objectContaining({ msg: 'request', correlationId: 'the-slow-one', status: 200 }));
  });

  it('cuts a request that never ends when STOP_SECONDS are over', async () => {
    const server = await start({ DRAIN_SECONDS: '0', STOP_SECONDS: '1' });
    const { hostname, port } = new URL(server.origin);
    const socket = connect(Number(port), hostname).on('error', () => {});
    socket.write('POST /api/v1/predict/iris HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{');
    await server.get('/health/live');
    const { code, ms } = await server.stop('SIGTERM');
    socket.destroy();

    expect(code).toBe(0);
    expect(ms).toBeGreaterThan(950);
    expect(ms).toBeLessThan(2500);
  });

  it('by SIGINT does not drain', async () => {
    const server = await start({ DRAIN_SECONDS: '10' });
    const { code, ms } = await server.stop('SIGINT');
    expect(code).toBe(0);
    expect(ms).toBeLessThan(1500);
  });

  async function refuses({ origin }: ServerProcess): Promise<boolean> {
    const { hostname, port } = new URL(origin);
    const socket = connect(Number(port), hostname);
    try {
      await once(socket, 'connect');
      return false;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
    } finally {
      socket.destroy();
    }
  }
});
