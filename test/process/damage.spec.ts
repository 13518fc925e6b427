import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, cp } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { features } from '../../examples/iris/request.json';
import { linear } from '../onnx/models';
import { until } from './processes';
import { Servers, type Settings } from './server-process';

const STACK_LINE = /^\s+at .*[:(]/m;

const servers = new Servers();
afterEach(() => servers.remove());

// a registry with the example and one model more, as a server left it: tests harm copies
let folder: string;
let registry: string;
let blobOfIris: string; // in the copy
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'analytics-api-registry-'));
  const server = await servers.start({ MODELS_DIR: join(folder, 'original') });
  await server.serve('double', linear([[2]]));
  const { body } = await server.get('/api/v1/models/iris/versions/1');
  const { sha256 } = body.files[0];
  blobOfIris = join('blobs', 'sha256', sha256.slice(0, 2), sha256);
  await server.stop('SIGINT');
  await servers.remove();
});
beforeEach(async () => {
  registry = mkdtempSync(join(folder, 'copy-'));
  await cp(join(folder, 'original'), registry, { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Changes a file of the registry, behind the back of everybody. */
async function harm(name: string, change: (bytes: Buffer) => Buffer | string): Promise<void> {
  const path = join(registry, name);
  const bytes = readFileSync(path);
  await chmod(path, 0o644);
  writeFileSync(path, change(bytes));
}

async function failToStart(settings: Settings): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const server = servers.launch(settings);
  const { code } = await server.ended();
  return { code, stdout: server.stdout, stderr: server.stderr };
}

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
    expect(stderr).toMatch(/^The configuration has a fault:\n {2}HOST=0\.0\.0\.0: .*\n {4}API_KEY=.*\n {4}AUTH_MODE=none\n$/);
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

  it.each([
    [3, 'that is cut off', 3, 'it is no JSON', (bytes: Buffer) => bytes.subarray(0, -10)],
    [
      2,
      'that was changed',
      3,
      'it is not chained to the event before it',
      (bytes: Buffer) => bytes.toString().replace('"version":1', '"version":2'),
    ],
  ])('names the event that cannot be trusted, given event %i %s', async (seq, _harm, named, reason, change) => {
    await harm(`log/0000000000000000000${seq}.json`, change);
    const { code, stderr } = await failToStart({ MODELS_DIR: registry });
    expect(code).toBe(1);
    expect(stderr).toBe(`The start failed: Event ${named} of the log cannot be trusted: ${reason}\n`);
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
  beforeEach(() =>
    harm(blobOfIris, (bytes) => {
      bytes[bytes.length >> 1]! ^= 1;
      return bytes;
    }),
  );

  it('is named by readiness, is refused with the reason, and harms no other', async () => {
    const server = await servers.start({ MODELS_DIR: registry });
    const ready = await server.get('/health/ready');
    const broken = await server.predict('iris', { features });
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
    const server = servers.launch({ MODELS_DIR: registry, REQUIRED_MODELS: 'iris,double' });
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
