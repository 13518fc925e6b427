import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import golden from '../../examples/iris/golden.json';
import { linear, slowLoop } from '../onnx/models';
import { until } from './processes';
import { type ServerProcess, Servers } from './server-process';

const FEATURES = golden.rows[0]!.features;
const STACK_LINE = /^\s+at .*[:(]/m;
const TURNS_OF_A_SECOND = 2_500_000;

const servers = new Servers();
afterEach(() => servers.remove());

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
    const server = await servers.start();
    const line = await until('the line of curl', () => /^curl .*$/m.exec(server.stderr)?.[0]);
    const { stdout } = await promisify(execFile)('bash', ['-c', line], { env: { PATH: '/usr/bin:/bin' }, timeout: 10_000 });

    expect(server.stderr).toContain('The registry was empty: the example model "iris" is published and in production.');
    expect(JSON.parse(stdout)).toMatchObject({ prediction: 'virginica', model: 'iris', model_version: 1 });
    expect(server.readyMs).toBeLessThan(20_000);
  });

  it('with EXAMPLES=off publishes nothing and says nothing of it', async () => {
    const server = await servers.start({ EXAMPLES: 'off' });
    expect((await server.get('/api/v1/models')).body).toEqual({ models: [], total: 0, next: null });
    await server.stop('SIGINT');
    expect(server.stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  it('answers as scikit-learn does, before and after a restart, which does not announce the example again', async () => {
    const first = await servers.start();
    await expectGolden(first);
    await first.stop('SIGINT');
    const second = await servers.start({ MODELS_DIR: first.modelsDir });
    await expectGolden(second);
    await second.stop('SIGINT');

    expect(second.stderr).not.toMatch(/curl|example/);
    expect(readdirSync(join(first.modelsDir, 'log'))).toHaveLength(4);
  });

  it('takes a folder that is told from where it was started', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'analytics-api-relative-'));
    const server = await servers.start({ MODELS_DIR: relative(process.cwd(), folder) });
    expect((await server.predict('iris', { features: FEATURES })).status).toBe(200);
    await server.stop('SIGINT');
    rmSync(folder, { recursive: true });
  });

  it.each([0, 40, 100])('that is stopped after %i ms leaves nothing half done, and the next one has the example', async (ms) => {
    const first = servers.launch({ DRAIN_SECONDS: '0' });
    await first.listening();
    await sleep(ms);
    expect((await first.stop()).code).toBe(0);
    expect(existsSync(join(first.modelsDir, '.staging')) ? readdirSync(join(first.modelsDir, '.staging')) : []).toEqual([]);
    const second = await servers.start({ MODELS_DIR: first.modelsDir });
    expect((await second.predict('iris', { features: FEATURES })).status).toBe(200);
    await second.stop('SIGINT');
  });

  /** Makes the process signal itself when it asks for a module. */
  function signalAt(module: string, signal: string): string {
    const resolve = `(asked, context, next) => (asked === '${module}' && process.kill(process.pid, '${signal}'), next(asked, context))`;
    const script = `import { registerHooks } from 'node:module'; registerHooks({ resolve: ${resolve} });`;
    return `--import=data:text/javascript,${encodeURIComponent(script)}`;
  }

  it.each([
    ['SIGTERM', 'reflect-metadata'],
    ['SIGTERM', './app.module'],
    ['SIGTERM', './models/serving/bring-up'],
    ['SIGINT', './app.module'],
  ])('that is stopped by %s while it loads %s ends well and at once, and has begun nothing', async (signal, module) => {
    const server = servers.launch({ DRAIN_SECONDS: '10', NODE_OPTIONS: signalAt(module, signal) });
    const { code, ms } = await server.ended();

    expect(code).toBe(0);
    expect(ms).toBeLessThan(10_000);
    expect(server.stdout + server.stderr).toBe('');
    expect(existsSync(server.modelsDir)).toBe(false);
  });

  it('leaves a command to be ended by its signal', async () => {
    const env = { NODE_OPTIONS: signalAt('./backup.command', 'SIGINT'), PATH: '/nowhere' };
    const main = join(__dirname, '..', '..', 'dist', 'main.js');
    await expect(promisify(execFile)(process.execPath, [main, '--help'], { env })).rejects.toMatchObject({ signal: 'SIGINT' });
  });

  it('that was killed while it published the example is made good by the next one', async () => {
    const first = await servers.start();
    await first.stop('SIGINT');
    rmSync(join(first.modelsDir, 'log', '00000000000000000004.json'));
    const second = await servers.start({ MODELS_DIR: first.modelsDir });
    expect((await second.predict('iris', { features: FEATURES })).status).toBe(200);
    expect(second.stderr).toContain('curl');
    await second.stop('SIGINT');
  });

  it('writes one JSON object a line to standard output, and no stack to standard error', async () => {
    const server = await servers.start({ LOG_LEVEL: 'trace' });
    await Promise.all([server.predict('iris', { features: FEATURES }), server.predict('nobody', {}), server.get('/nowhere')]);
    await server.serve('double', linear([[2]]));
    await server.stop('SIGINT');

    expect(server.stdout).toMatch(/\n$/);
    expect(server.log.length).toBeGreaterThan(10);
    expect(server.log.filter(({ level, time, msg }) => !level || Number.isNaN(Date.parse(String(time))) || !msg)).toEqual([]);
    expect(server.stderr).not.toMatch(STACK_LINE);
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
      if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error;
    }
  }

  it('by SIGTERM goes unready at once, answers while it drains, loses no line of the log, and is over when the drain time is', async () => {
    const server = await servers.start({ DRAIN_SECONDS: '1', STOP_SECONDS: '2' });
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
    const server = await servers.start({ DRAIN_SECONDS: '0' });
    await server.serve('slow', slowLoop(TURNS_OF_A_SECOND));
    let answered = false;
    const slow = server.predict('slow', { instances: [[1]] }, { 'X-Correlation-Id': 'the-slow-one' }).finally(() => (answered = true));
    await sleep(150);
    const stopped = server.stop('SIGTERM');
    await until('the port is closed', () => refuses(server));
    const answeredBefore = answered;
    const answer = await slow;
    const answeredAt = performance.now();
    const { code } = await stopped;

    expect(performance.now() - answeredAt).toBeLessThan(2000);
    expect(answeredBefore).toBe(false);
    expect(answer).toMatchObject({ status: 200, body: { predictions: [{ prediction: 1 }] } });
    expect(code).toBe(0);
    expect(server.log).toContainEqual(expect.objectContaining({ msg: 'request', correlationId: 'the-slow-one', status: 200 }));
  });

  it('cuts a request that never ends when STOP_SECONDS are over', async () => {
    const server = await servers.start({ DRAIN_SECONDS: '0', STOP_SECONDS: '1' });
    const { hostname, port } = new URL(server.origin);
    const socket = connect(Number(port), hostname).on('error', () => {});
    socket.write('POST /api/v1/predict/iris HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{');
    await server.get('/health/live');
    const { code, ms } = await server.stop('SIGTERM');
    socket.destroy();

    expect(code).toBe(0);
    expect(ms).toBeGreaterThan(950);
    expect(ms).toBeLessThan(2500);
  });

  it('by SIGINT does not drain', async () => {
    const server = await servers.start({ DRAIN_SECONDS: '10' });
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
