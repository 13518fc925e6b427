import { existsSync, readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { endlessLoop, linear, padded } from '../onnx/models';
import { environmentOf, hostsOf, isGone, ticksOf, until } from './processes';
import { type ServerProcess, Servers } from './server-process';

const servers = new Servers();
let server: ServerProcess;

describe('a server with a model that hangs', () => {
  beforeAll(async () => {
    server = await servers.start({
      EXAMPLES: 'off',
      ENGINE_DEADLINE_MS: '500',
      MODEL_ISOLATION: 'always',
      CACHE_TTL_SECONDS: '0',
      SECRET_CANARY: 'x',
    });
    await server.serve('endless', endlessLoop());
    await server.serve('double', linear([[2]]));
  });
  afterAll(() => servers.remove());

  it('stops the model at its deadline and answers for another right after, from a new engine host', async () => {
    const [host] = hostsOf(server.pid);
    const [hung, other] = await Promise.all([
      server.predict('endless', { instances: [[1]] }),
      server.predict('double', { instances: [[21]] }),
    ]);
    const [successor] = hostsOf(server.pid);

    expect(hung).toMatchObject({ status: 504, body: { code: 'ENGINE_DEADLINE_EXCEEDED', expected: 'at most 500 ms' } });
    expect(other).toMatchObject({ status: 200, body: { predictions: [{ prediction: 42 }] } });
    expect(await server.predict('endless', { instances: [[0]] })).toMatchObject({ status: 200 });
    expect(successor).toEqual(expect.any(Number));
    expect(successor).not.toBe(host);
    expect(server.running).toBe(true);
  });

  it('gives no variable of its environment to an engine host', () => {
    const hosts = hostsOf(server.pid);
    expect(hosts.length).toBeGreaterThan(0);
    expect(environmentOf(server.pid)).toContain('SECRET_CANARY=x');
    for (const host of hosts) {
      expect(environmentOf(host)).toMatch(/^ORT_DISABLE_TELEMETRY=1$/m);
      expect(environmentOf(host)).not.toMatch(/CANARY|MODELS_DIR|PORT/);
    }
  });

  it('leaves nothing of an upload whose caller went away in the middle', async () => {
    const staging = join(server.modelsDir, '.staging');
    const staged = (): readonly string[] => (existsSync(staging) ? readdirSync(staging) : []);
    const type = 'multipart/form-data; boundary=b';
    const headers = { 'Content-Type': type, 'Content-Length': String(2 ** 24), 'X-Correlation-Id': 'aborted-upload' };
    const call = request(`${server.origin}/api/v1/models`, { method: 'POST', headers }).on('error', () => {});
    call.write('--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nhalf\r\n');
    call.write('--b\r\nContent-Disposition: form-data; name="file"; filename="model.onnx"\r\n\r\n');
    call.write(padded(2 ** 20));
    await until('the file is being written', () => staged().length === 1);
    call.destroy();
    await until('the staging area is empty', () => staged().length === 0, 2000);

    const { body } = await server.get('/api/v1/models');
    expect(body.models.map(({ name }: { name: string }) => name)).toEqual(['double', 'endless']);
    const linesOf = () => server.log.filter(({ correlationId }) => correlationId === 'aborted-upload');
    await until('its line is written', () => linesOf().length > 0); // lines are written in pieces
    expect(linesOf()).toEqual([expect.objectContaining({ level: 'info', msg: 'request', status: 499 })]);
  });

  // the last: it kills the server
  it('takes its engine hosts with it when it is killed, even one that hangs', async () => {
    const hosts = hostsOf(server.pid);
    const before = hosts.map(ticksOf);
    const call = server.predict('endless', { instances: [[1]] });
    await until('a host hangs', () => hosts.some((host, at) => ticksOf(host) > before[at]! + 5));
    await Promise.all([server.kill(), expect(call).rejects.toThrow('fetch failed')]);
    await until('the hosts are gone', () => hosts.every(isGone), 2000);

    expect(hosts.length).toBeGreaterThan(0);
  });
});
