import { execFile } from 'node:child_process';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { linear } from '../onnx/models';
import { type ServerProcess, Servers } from './server-process';

const MAIN = join(__dirname, '..', '..', 'dist', 'main.js');

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function examples(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, 'examples', ...args], { env, timeout: 15_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

describe('analytics-api examples', () => {
  const servers = new Servers();
  let server: ServerProcess;
  beforeEach(async () => void (server = await servers.start()));
  afterEach(() => servers.remove());

  const here = (): string[] => ['--server', server.origin];
  const names = async (): Promise<string[]> => (await server.get('/api/v1/models')).body.models.map(({ name }: { name: string }) => name);

  it('adds all three, removes them with what holds them, says so, and is content where they are gone', async () => {
    await server.serve('own', linear([[2]]));
    const added = await examples(['add', ...here()]);
    expect(added).toEqual({
      code: 0,
      stdout: 'iris: version 1 is in production\nfuel-economy: version 1 is in production\nmarket: version 1 is in production\n',
      stderr: '',
    });
    const init = { method: 'PUT', body: '{"version":1}', headers: { 'Content-Type': 'application/json' } };
    expect((await fetch(`${server.origin}/api/v1/models/iris/aliases/champion`, init)).status).toBe(200);
    const removed = await examples(['remove', ...here()]);
    expect({ code: removed.code, stderr: removed.stderr }).toEqual({ code: 0, stderr: '' });
    expect(removed.stdout.split('\n').slice(0, 3)).toEqual([
      'iris: version 1 taken out of production',
      'iris: alias "champion" removed',
      'iris: deleted; undelete it, or add the examples again, to have it back',
    ]);
    expect(await names()).toEqual(['own']);
    const again = await examples(['remove', ...here()]);
    expect(again).toEqual({ code: 0, stdout: 'iris: not there\nfuel-economy: not there\nmarket: not there\n', stderr: '' });
    expect((await examples(['add', ...here()])).stdout).toContain('iris: version 2 is in production');
  });

  it('leaves a model of somebody else’s own alone that has the name of an example', async () => {
    await server.serve('market', linear([[2]]));
    const { code, stdout } = await examples(['remove', ...here()]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('market: left alone: a model of your own, without the tag "example"\n')]);
    expect((await examples(['add', ...here()])).stdout).toContain('market: left alone');
    expect(await names()).toEqual(expect.arrayContaining(['market']));
    expect((await server.predict('market', { instances: [[10]] })).body.predictions[0].prediction).toBe(20);
  });

  it('shows the key that it has, and tells what the server says', async () => {
    const seen: IncomingHttpHeaders[] = [];
    const other = createServer(({ headers }, response) => {
      seen.push(headers);
      response.writeHead(401).end('{"code":"UNAUTHENTICATED","detail":"A key is needed"}');
    });
    await new Promise<void>((listening) => void other.listen(0, '127.0.0.1', listening));
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    try {
      const { code, stderr } = await examples(['remove', '--server', url], { API_KEY: 'a-secret-of-sixteen' });
      expect([code, stderr]).toEqual([1, expect.stringContaining('iris: 401 UNAUTHENTICATED A key is needed\n')]);
      expect(seen[0]?.authorization).toBe('Bearer a-secret-of-sixteen');
    } finally {
      other.close();
    }
    const { code, stderr } = await examples(['remove', '--server', url]);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`iris: no answer from ${url}: is the server running?\n`)]);
  });

  it('tells how it is used', async () => {
    const { code, stdout } = await examples(['remove', '--help']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('--server URL')]);
    expect((await examples(['nonsense'])).code).toBe(64);
  });
});
