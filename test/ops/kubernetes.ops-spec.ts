import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadAll } from 'js-yaml';
import packageJson from '../../package.json';
import { CONFIG_GROUPS, HttpConfig } from '../../src/config/app-config';
import { settingsOf } from '../../src/config/setting';

const ROOT = join(__dirname, '..', '..');
const FOLDER = join(ROOT, 'ops', 'kubernetes');
const PYTHON = process.env['OPS_PYTHON'] ?? 'python3';
const files = readdirSync(FOLDER);
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const run = promisify(execFile);

// the specs say what they expect of it
type Resource = any; // oxlint-disable-line typescript/no-explicit-any
const resources: readonly Resource[] = files.flatMap((name) => loadAll(read(`ops/kubernetes/${name}`)));
const one = (kind: string): Resource => {
  const found = resources.filter((resource) => resource.kind === kind);
  expect(found).toHaveLength(1);
  return found[0];
};
const pod = (): Resource => one('Deployment').spec.template.spec;
const container = (): Resource => pod().containers[0];
const dockerfile = read('Dockerfile');

describe('the files for Kubernetes', () => {
  it.each(files)('%s is what Kubernetes 1.37 takes, and has no member that it does not know', async (name) => {
    const { stdout, stderr } = await run(PYTHON, [
      '-m',
      'kubernetes_validate',
      '--strict',
      '--kubernetes-version',
      '1.37',
      join(FOLDER, name),
    ]);
    // the operator's own kind is in no schema of Kubernetes
    if (name === 'service-monitor.yaml') expect(stdout + stderr).toContain("Couldn't find schema for kind ServiceMonitor");
    else expect(stdout + stderr).toMatch(/passed for resource/);
  });

  it('are of the kinds that the service needs', () => {
    const kinds = resources.map(({ kind }) => kind as string).sort();
    const expected = ['Deployment', 'NetworkPolicy', 'PersistentVolumeClaim', 'PersistentVolumeClaim', 'PodDisruptionBudget', 'Secret'];
    expect(kinds).toEqual([...expected, 'Service', 'ServiceMonitor']);
  });

  it('run one process at a time, and tell it of no other Service', () => {
    expect(one('Deployment').spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
    expect(pod()).toMatchObject({ enableServiceLinks: false, automountServiceAccountToken: false });
  });

  it('give it longer to stop than its drain and its last requests may take', () => {
    const values = Object.fromEntries(container().env.map(({ name, value }: Resource) => [name, value]));
    const defaults = new HttpConfig();
    const drain = Number(values.DRAIN_SECONDS ?? defaults.drainSeconds) + Number(values.STOP_SECONDS ?? defaults.stopSeconds);
    expect(pod().terminationGracePeriodSeconds).toBeGreaterThan(drain);
  });

  it('set only what is a setting', () => {
    const names = new Set(CONFIG_GROUPS.flatMap((group) => settingsOf(group)).map(({ name }) => name));
    expect(container().env.filter(({ name }: Resource) => !names.has(name))).toEqual([]);
  });

  it('have the port and the folders of the image, and its user', () => {
    const port = Number(/^EXPOSE (\d+)$/m.exec(dockerfile)?.[1]);
    expect(container().ports).toEqual([{ name: 'http', containerPort: port }]);
    expect(one('Service').spec.ports).toEqual([{ name: 'http', port, targetPort: 'http' }]);
    expect(one('NetworkPolicy').spec.ingress[0].ports).toEqual([{ port, protocol: 'TCP' }]);
    expect(container().env).toContainEqual({ name: 'PORT', value: String(port) });
    const volumes = JSON.parse(/^VOLUME (.*)$/m.exec(dockerfile)?.[1] ?? '[]') as readonly string[];
    const mounts = container().volumeMounts.map(({ mountPath }: Resource) => mountPath as string);
    expect(mounts.sort()).toEqual([...volumes, '/tmp'].sort());
    expect(
      container()
        .volumeMounts.map(({ name }: Resource) => name)
        .sort(),
    ).toEqual(
      pod()
        .volumes.map(({ name }: Resource) => name)
        .sort(),
    );
    expect(container().image).toBe(`${packageJson.name}:${packageJson.version}`);
  });

  it('let it do nothing that it need not', () => {
    expect(pod().securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } });
    expect(container().securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(Object.keys(container().resources.limits)).toEqual(['cpu', 'memory']);
  });

  it('probe where the service answers probes', () => {
    const routes = read('test/e2e/auth.e2e-spec.ts');
    for (const kind of ['startup', 'liveness', 'readiness']) {
      const { path, port } = container()[`${kind}Probe`].httpGet;
      expect(routes).toContain(`'get ${path}': 'public'`);
      expect(port).toBe('http');
    }
    expect(routes).toContain(`'get ${one('ServiceMonitor').spec.endpoints[0].path}'`);
  });

  it('mean the same pods everywhere, and the secret that there is', () => {
    const labels = one('Deployment').spec.template.metadata.labels;
    for (const selector of [
      one('Deployment').spec.selector.matchLabels,
      one('Service').spec.selector,
      one('PodDisruptionBudget').spec.selector.matchLabels,
      one('NetworkPolicy').spec.podSelector.matchLabels,
    ])
      expect(selector).toEqual(labels);
    expect(one('ServiceMonitor').spec.selector.matchLabels).toEqual(one('Service').metadata.labels);
    const secret = one('Secret');
    const refs = container().env.flatMap(({ valueFrom }: Resource) => (valueFrom === undefined ? [] : [valueFrom.secretKeyRef]));
    for (const { name, key } of [...refs, one('ServiceMonitor').spec.endpoints[0].authorization.credentials]) {
      expect(name).toBe(secret.metadata.name);
      expect(Object.keys(secret.stringData)).toContain(key);
    }
  });

  it('are scraped under the job that every rule asks for', () => {
    expect(one('Service').metadata.name).toBe('analytics-api');
    expect(read('ops/prometheus/prometheus.yml')).toContain('job_name: analytics-api');
  });
});
