import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { linear } from '../onnx/models';
import { until } from '../process/processes';
import { engine, HARDENED, IMAGE, NETWORK, PORT } from './engine';

/** A copy of the project, and `docker` as the documents say it: `npm run test:container` makes both. */
const PROJECT = process.env['COMPOSE_PROJECT_DIR'] ?? '';
const describeWithCompose = existsSync(PROJECT) ? describe : describe.skip;
/** Not the port that the documents name: a server may be there already. */
const HERE = 4191;
const ORIGIN = `http://127.0.0.1:${HERE}`;
const PROMETHEUS = '127.0.0.1:4192';
const ALERTMANAGER = '127.0.0.1:4193';
const FEATURES = { sepal_length_cm: 5.1, sepal_width_cm: 3.5, petal_length_cm: 1.4, petal_width_cm: 0.2 };
const MEBIBYTE = 2 ** 20;
const BLOCK_MS = 120_000;

const run = promisify(execFile);

/** The blocks of shell commands of a document that have `text` in them. */
function blocksOf(document: string, text: string): readonly string[] {
  const markdown = readFileSync(join(PROJECT, document), 'utf8');
  return [...markdown.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block as string).filter((block) => block.includes(text));
}

/** Runs commands as a reader would paste them, but for port and volumes, which may be taken here. @returns what they wrote to standard output */
async function paste(commands: string): Promise<string> {
  const published = { PUBLISH: `127.0.0.1:${HERE}`, PROMETHEUS_PUBLISH: PROMETHEUS, ALERTMANAGER_PUBLISH: ALERTMANAGER };
  const env = { ...process.env, ...published };
  const text = commands.replaceAll('127.0.0.1:4100', `127.0.0.1:${HERE}`).replaceAll(/analytics-api-(?=\w+:)/g, 'analytics-api-test-');
  return (await run('bash', ['-euo', 'pipefail', '-c', text], { cwd: PROJECT, env, timeout: BLOCK_MS })).stdout;
}

const idOf = async (service: string): Promise<string> => {
  const project = `label=com.docker.compose.project=${process.env['COMPOSE_PROJECT_NAME']}`;
  return engine('ps', '--all', '--quiet', '--no-trunc', '--filter', project, '--filter', `label=com.docker.compose.service=${service}`);
};
const inService = async (script: string): Promise<string> => engine('exec', await idOf('analytics-api'), 'sh', '-c', script);
const memoryLimit = (): Promise<string> =>
  inService('cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes');
const predict = async (model: string, body: object, key = ''): Promise<unknown> => {
  const headers = { 'Content-Type': 'application/json', ...(key !== '' && { 'X-API-Key': key }) };
  return (await fetch(`${ORIGIN}/api/v1/predict/${model}`, { method: 'POST', headers, body: JSON.stringify(body) })).json();
};

describeWithCompose('the compose stack', () => {
  jest.setTimeout(BLOCK_MS);
  afterAll(() => paste('docker compose --profile monitoring down --volumes'));

  it('is up and predicting after the two commands of the README', async () => {
    const blocks = blocksOf('README.md', 'docker compose up');
    expect(blocks).toHaveLength(1);
    expect(blocks[0]!.trim().split('\n')).toHaveLength(2);
    await paste(blocks[0]!);
    expect(await predict('iris', { features: FEATURES })).toMatchObject({ prediction: 'setosa', model_version: 1 });
  });

  it('is held to the limits of the compose file, without rights and with a root that nobody writes to', async () => {
    expect(await memoryLimit()).toBe(String(4096 * MEBIBYTE));
    expect(await inService('cat /sys/fs/cgroup/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids/pids.max')).toBe('512');
    const cpu = await inService('cd /sys/fs/cgroup; cat cpu.max 2>/dev/null || cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us');
    expect(cpu.split(/\s+/).map(Number)).toEqual([200_000, 100_000]);
    expect(await inService('grep -E "^(CapEff|NoNewPrivs)" /proc/1/status')).toMatch(/^CapEff:\s+0+\nNoNewPrivs:\s+1$/);
    expect(await inService('touch /app/x 2>&1 || true')).toContain('Read-only file system');
    expect(await inService('id -u')).toBe('1000');
  });

  it('is called by its name from another container on trading-network, which does not reach its Redis', async () => {
    const ask = `fetch(process.argv[1], { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: process.argv[2] })
      .then((answer) => answer.json()).then(({ prediction }) => console.log(prediction))
      .then(() => require('node:dns').lookup('redis', (error) => console.log(error ? 'no redis' : 'redis')))`;
    const url = `http://analytics-api:${PORT}/api/v1/predict/iris`;
    const peer = ['run', '--rm', `--network=${NETWORK}`, '--entrypoint=node', ...HARDENED, IMAGE];
    expect(await engine(...peer, '-e', ask, url, JSON.stringify({ features: FEATURES }))).toBe('setosa\nno redis');
  });

  it('has a Redis that is healthy and that the service reaches', async () => {
    expect(await engine('inspect', '--format={{.State.Health.Status}}', await idOf('redis'))).toBe('healthy');
    const ping = `require('node:net').connect(6379, 'redis').on('data', (said) => { console.log(String(said).trim()); process.exit(); }).write('PING\\r\\n')`;
    expect(await inService(`node -e "${ping}"`)).toBe('+PONG');
  });

  it('is watched by Prometheus and Alertmanager where the profile is asked for, with every rule and no published port but on loopback', async () => {
    const [block] = blocksOf('docs/MONITORING.md', '--profile monitoring up');
    // Grafana's image cannot be had everywhere; of the others there are stand-ins
    await paste(`${block!.trim()} prometheus alertmanager`);
    const ask = async (path: string): Promise<any> => (await fetch(`http://${PROMETHEUS}/api/v1/${path}`)).json(); // oxlint-disable-line typescript/no-explicit-any
    await until('both are scraped', async () => (await ask('query?query=up==1')).data.result.length === 3, BLOCK_MS / 2);
    const { data } = await ask('query?query=up');
    expect(data.result.map(({ metric, value }: { metric: { job: string }; value: unknown[] }) => [metric.job, value[1]]).sort()).toEqual([
      ['alertmanager', '1'],
      ['analytics-api', '1'],
      ['prometheus', '1'],
    ]);
    const rules = (await ask('rules')).data.groups.flatMap((group: { rules: readonly { health: string }[] }) => group.rules);
    expect(rules.length).toBeGreaterThan(50);
    expect((await ask('alertmanagers')).data.activeAlertmanagers).toHaveLength(1);
    expect((await fetch(`http://${ALERTMANAGER}/api/v2/alerts`)).status).toBe(200);
    for (const service of ['prometheus', 'alertmanager']) {
      const bound = await engine('port', await idOf(service));
      expect(bound.split('\n').filter((line) => !line.includes('127.0.0.1:'))).toEqual([]);
      expect(await engine('inspect', '--format={{.HostConfig.ReadonlyRootfs}} {{.State.Health.Status}}', await idOf(service))).toBe(
        'true healthy',
      );
    }
  });

  it('writes its log as one JSON object a line', async () => {
    const log = (await run(process.env['CONTAINER_ENGINE'] ?? 'docker', ['logs', await idOf('analytics-api')])).stdout.trim().split('\n');
    expect(log.length).toBeGreaterThan(3);
    expect(log.filter((line) => typeof JSON.parse(line) !== 'object')).toEqual([]);
  });

  it('keeps its models when its containers are made anew, with what .env says', async () => {
    const form = new FormData();
    form.set('name', 'line');
    form.set('stage', 'production');
    form.set('file', new Blob([Uint8Array.from(linear([[2]]))]), 'model.onnx');
    expect((await fetch(`${ORIGIN}/api/v1/models`, { method: 'POST', body: form })).status).toBe(201);
    const before = await idOf('analytics-api');

    const [block] = blocksOf('docs/SETUP.md', '.env.example');
    expect(await paste(block!)).toContain('"name":"line"');
    expect(await idOf('analytics-api')).not.toBe(before);
    expect(await memoryLimit()).toBe(String(8192 * MEBIBYTE));
    const key = /^API_KEY=([0-9a-f]{64})$/m.exec(readFileSync(join(PROJECT, '.env'), 'utf8'))?.[1];
    expect(await predict('line', { instances: [[21]] })).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await predict('line', { instances: [[21]] }, key)).toMatchObject({ predictions: [{ prediction: 42 }], model_version: 1 });
  });

  it('stops within its grace period, with 0', async () => {
    const startedAt = performance.now();
    await paste('docker compose stop analytics-api');
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    expect(await engine('inspect', '--format={{.State.ExitCode}}', await idOf('analytics-api'))).toBe('0');
    const others = blocksOf('docs/SETUP.md', 'docker compose').filter((block) => !block.includes('.env.example') && !block.includes('up'));
    for (const block of others) await paste(block);
  });
});

describeWithCompose('docs/SETUP.md', () => {
  it(
    'has commands for Docker alone that start the service, ask it and end it',
    async () => {
      const blocks = blocksOf('docs/SETUP.md', 'docker run');
      expect(blocks.length).toBeGreaterThan(0);
      for (const block of blocks) expect(await paste(block)).toContain('"prediction":"setosa"');
      expect(await engine('ps', '--quiet', '--filter', 'name=^analytics-api$')).toBe('');
      await engine('volume', 'rm', ...['models', 'backups', 'logs'].map((name) => `analytics-api-test-${name}`));
    },
    BLOCK_MS,
  );
});
