import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linear } from '../onnx/models';
import { until } from '../process/processes';
import { AMBIGUOUS } from './ambiguous-requests';
import { HOST, message, sendRaw } from './raw-socket';
import { describeInProcess, logLines, TestApp } from './test-app';

interface Proxy {
  readonly name: string;
  readonly path: string;
  readonly config: (folder: string, port: number, upstream: number) => string;
  readonly args: (config: string, folder: string) => readonly string[];
}

const PROXIES: readonly Proxy[] = [
  {
    name: 'nginx',
    path: '/usr/sbin/nginx',
    config: (folder, port, upstream) => `
      daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
      events {}
      http {
        access_log off; client_body_temp_path ${folder}; proxy_temp_path ${folder};
        fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
        upstream service { server 127.0.0.1:${upstream}; keepalive 8; }
        server {
          listen 127.0.0.1:${port};
          location / { proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off; }
        }
      }`,
    args: (config, folder) => ['-p', folder, '-c', config],
  },
  {
    name: 'haproxy',
    path: '/usr/sbin/haproxy',
    config: (_folder, port, upstream) => `
global
  maxconn 100
defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
  http-reuse always
listen service
  bind 127.0.0.1:${port}
  server one 127.0.0.1:${upstream}
`,
    args: (config) => ['-db', '-f', config],
  },
];

describeInProcess.each(PROXIES)('behind $name, on connections that are kept (SEC-27)', (proxy) => {
  const there = exists(proxy.path) ? it : missing(proxy.name);
  let app: TestApp;
  let process: ChildProcess | undefined;
  let folder: string;
  let origin: string;

  beforeAll(async () => {
    if (!exists(proxy.path)) return;
    app = await TestApp.start({ env: { ALLOWED_HOSTS: 'service', BODY_SECONDS: '2' } });
    await app.serve('line', linear([[2]]));
    folder = mkdtempSync(join(tmpdir(), `${proxy.name}-`));
    const port = await freePort();
    origin = `http://127.0.0.1:${port}`;
    const config = join(folder, 'config');
    writeFileSync(config, proxy.config(folder, port, Number(new URL(app.origin).port)));
    process = spawn(proxy.path, proxy.args(config, folder), { stdio: 'ignore' });
    await until(`${proxy.name} answers`, async () => (await sendRaw(origin, message(['GET /health/live HTTP/1.1', HOST, 'Connection: close']))).statuses[0] === 200); // prettier-ignore
  });
  afterAll(async () => {
    if (process === undefined) return;
    process.kill('SIGTERM');
    await once(process, 'close');
    await app.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const predict = (rows: number): string => {
    const body = `{"instances":[[${rows}]]}`;
    return message(
      ['POST /api/v1/predict/line HTTP/1.1', HOST, 'Content-Type: application/json', `Content-Length: ${body.length}`, 'Connection: close'],
      body,
    );
  };

  there('predictions are answered', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map((row) => sendRaw(origin, predict(row))));
    answers.forEach(({ text }, at) => expect(text).toContain(`"prediction":${(at + 1) * 2}`));
  });

  there.each(AMBIGUOUS)(
    '%s never make two requests of one, nor the answer of one the answer of another',
    async (_what, lines, body) => {
      const seen = logLines.length;
      const [{ statuses }, ...others] = await Promise.all([
        sendRaw(origin, message([...lines, 'Content-Type: application/json'], body), 700),
        ...[1, 2, 3].map((row) => sendRaw(origin, predict(row))),
      ]);
      others.forEach(({ text }, at) => expect(text).toContain(`"prediction":${(at + 1) * 2}`));
      expect((await sendRaw(origin, predict(7))).text).toContain('"prediction":14');
      // a proxy that reads two requests answers two, and has checked both; what it read as one must be one here
      const reached = logLines.slice(seen).filter(({ msg, path }) => msg === 'request' && String(path).includes('smuggled'));
      expect(reached.length).toBeLessThanOrEqual(Math.max(0, statuses.length - 1));
    },
    20_000,
  );
});

function exists(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

function missing(name: string): typeof it.skip {
  globalThis.process.stderr.write(`No ${name} on this machine, so nothing is tried behind it (apt-get install ${name})\n`);
  return it.skip;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
